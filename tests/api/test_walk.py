"""Every call of the API by every caller: strangers, each role alone, all but one (specification, section 10)."""

from uuid import UUID

import pytest
from django.urls import URLPattern

from epmm import options, settings_store
from tests.api.conftest import Script, basic, make_caller
from users.api import checks, permissions
from users.api.permissions import CALLER, NEEDED, UNKNOWN
from users.models import AdminRole
from users.services import api_tokens

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
ALIASES = ("/api/v{n}/", "/api/V{n}/", "/rest/api/v{n}/", "/rest/api/V{n}/")
ODD = ("/x/api/v{n}/", "//api/v{n}/", "/api/v{n};/", "/api/v{n}/%2e%2e/api/v{n}/", "/api//v{n}/", "/API/v{n}/")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def places() -> list[tuple[str, int, str]]:
    """Of each address its name, its version and a path with something in each place."""
    return [
        (str(route.name), 1 if str(route.name).startswith("v1-") else 2, _example(route))
        for route in checks.routes()
        if route.name != UNKNOWN
    ]


def _example(route: URLPattern) -> str:
    path = str(route.pattern)
    for name, converter in route.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        path = path.replace(f"<{kind}:{name}>", {"int": "1", "uuid": str(UUID(int=0))}.get(kind, "x"))
    assert "<" not in path
    return path


def test_the_table_and_the_addresses_are_the_same() -> None:
    assert checks.every_call_is_in_the_table() == []


def test_an_address_that_somebody_forgot_in_the_table_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    left = {name: role for name, role in NEEDED.items() if name != "devices GET"} | {"gone GET": CALLER}
    monkeypatch.setattr(permissions, "NEEDED", left)

    assert [message.id for message in checks.every_call_is_in_the_table()] == ["epmm.E010", "epmm.E011"]


def test_strangers_get_in_by_no_address_alias_or_method(transactional_db: None) -> None:
    stranger = Script(None)
    for name, version, path in places():
        for base in ALIASES:
            for method in METHODS if base == ALIASES[0] else ("GET", "POST"):
                where = base.format(n=version) + path
                assert stranger.ask(method, where).status_code == 401, (name, method, where)
        for base in ODD:
            assert stranger.ask("GET", base.format(n=version) + path).status_code in (401, 404), (name, base)


def test_each_call_opens_with_its_role_and_with_no_other(transactional_db: None) -> None:
    """A token for that role alone is let in; one for all the others is not."""
    person = make_caller("walker")
    roles = frozenset(AdminRole.values) - {AdminRole.API}

    def carrying(scopes: frozenset[str]) -> Script:
        return Script(f"Bearer {api_tokens.create(person, name='x', scopes=scopes, days=1, actor='test')[1]}")

    alone = {role: carrying(frozenset({role})) for role in roles}
    without = {role: carrying(roles - {role}) for role in roles}
    settings_store.change(options.API_UNLOCK_ON_GET.name, "on", actor="test")
    for name, version, path in places():
        where = f"/api/v{version}/{path}"
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            needed = permissions.needed_for(name, method)
            if needed is None:
                assert alone[AdminRole.DEVICE_VIEW].ask(method, where).status_code == 405, (name, method)
                continue
            role = AdminRole.SETTINGS_VIEW if needed == CALLER else needed
            answer = alone[role].ask(method, where).status_code
            assert answer < 500, (name, method)  # nothing here names anything that is there
            assert answer not in (401, 403, 405), (name, method)
            if needed != CALLER:
                assert without[needed].ask(method, where).status_code == 403, (name, method)


def test_who_has_no_role_of_the_api_gets_in_nowhere(transactional_db: None) -> None:
    make_caller("person", [role for role in AdminRole.values if role != AdminRole.API])
    script = Script(basic("person"))
    for name, version, path in places():
        assert script.ask("GET", f"/api/v{version}/{path}").status_code == 403, name
    assert script.ask("GET", "/api/v2/nothing").status_code == 403
