"""Who is let in, by what, and what strangers learn."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from epmm import options, settings_store
from epmm.models import AuditEntry
from epmm.rate_limit import Buckets
from tests.api.conftest import Script, basic, make_caller
from tests.factories import PASSWORD
from users.api import throttling, views
from users.models import AdminRole, ApiToken, Authenticator
from users.services import administrators, api_credentials, api_tokens, passwords, people

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose password was looked at."""
    seen: list[str] = []
    check = passwords.check

    def counted(user: Any, password: str, typed: str, **how: Any) -> Any:
        seen.append(typed)
        return check(user, password, typed, **how)

    monkeypatch.setattr(passwords, "check", counted)
    return seen


def test_ping_tells_version(script: Script) -> None:
    response = script.ask("GET", "ping")

    assert response.status_code == 200
    assert response.json() == {"results": {"apiVersion": 2, "vspVersion": "EPMM 0.1.0 Build 1 "}}
    assert not response.cookies
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "where", ["/api/V2/ping", "/rest/api/v2/ping", "/rest/api/V2/ping/", "/api/v2/ping//"], ids=str
)
def test_variants_of_an_address_are_one(script: Script, where: str) -> None:
    assert script.ask("GET", where).status_code == 200
    assert Script(None).ask("GET", where).status_code == 401


@pytest.mark.parametrize(
    "where",
    [
        "/x/api/v2/ping", "//api/v2/ping", "/api/v2;/ping", "/api/%2e%2e/api/v2/ping", "/API/v2/ping",
        "/rest/rest/api/v2/ping", "/api/v2/%2e%2e/v2/ping", "/api/v2//ping", "/api/v2/ping;x", "/api/v2/./ping",
        "/api/v22/ping", "/api/v2/ping%0a",
    ],
    ids=str,
)  # fmt: skip
def test_odd_addresses_lead_nowhere(script: Script, where: str) -> None:
    assert script.ask("GET", where).status_code == 404
    assert Script(None).ask("GET", where).status_code in (401, 404)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "NONSENSE"])
@pytest.mark.parametrize("where", ["", "nothing", "y/nothing", "no%0athing", "ping"])
def test_strangers_learn_nothing(transactional_db: None, method: str, where: str) -> None:
    response = Script(None).ask(method, where, b"{not json")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('Basic realm="EPMM"')
    [message] = response.json()["messages"]
    assert (message["type"], message["messageKey"]) == ("Error", "epmm.credentials.missing")
    assert not response.cookies
    assert "Allow" not in response


def test_unknown_paths_and_methods_are_told_to_callers(script: Script) -> None:
    assert (unknown := script.ask("GET", "nothing")).status_code == 404
    assert unknown.json()["messages"][0].keys() == {"type", "messageKey", "localizedMessage"}
    assert script.ask("DELETE", "nothing").status_code == 404
    assert (refused := script.ask("POST", "ping")).status_code == 405
    assert refused["Allow"] == "GET"
    assert script.ask("OPTIONS", "ping").status_code == 405


@pytest.mark.parametrize(
    "authorization",
    [basic("script", "wrong"), basic("nobody"), "Basic", "Basic !!!", "Basic c2NyaXB0", "Bearer", "Bearer epmm_x",
     "Bearer \xe9", "Basic " + "A" * 5000],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_wrong_credentials_are_all_alike(script: Script, authorization: str) -> None:
    response, unknown = (Script(each).ask("GET", "ping") for each in (authorization, basic("nobody")))

    assert (response.status_code, response.content) == (401, unknown.content)
    assert response["WWW-Authenticate"].startswith("Basic realm=")
    assert {**response.headers, "X-Request-ID": ""} == {**unknown.headers, "X-Request-ID": ""}


def test_credentials_of_another_scheme_are_none(transactional_db: None) -> None:
    other, none = (Script(each).ask("GET", "ping") for each in ("Negotiate abc", None))

    assert (other.status_code, other.content) == (401, none.content)


def test_a_session_of_the_portal_opens_nothing(script: Script) -> None:
    browser = Script(None)
    browser.client.post("/admin/sign-in", {"user_id": "script", "password": PASSWORD}, secure=True)
    assert browser.ask("GET", "/admin/account").status_code == 200

    assert browser.ask("GET", "ping").status_code == 401


def test_a_password_is_checked_once_a_minute(script: Script, hashed: list[str]) -> None:
    for _ in range(3):
        script.get("ping")

    assert hashed == ["script"]


def test_a_call_costs_few_queries(script: Script, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    script.get("ping")

    with django_assert_num_queries(3):  # the person with a lock-out, roles; the audit entry
        script.get("ping")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda user: people.set_password(user, "another correct horse", actor="test"), 401),
        (lambda user: people.set_active(user, is_active=False, actor="test"), 401),
        (lambda user: administrators.change_roles(user, granted=(), removed=[AdminRole.API], actor="test"), 403),
        (lambda user: Authenticator.objects.create(user=user, key=b"k", confirmed=True), 401),
    ],
    ids=["password", "switched off", "role", "second factor"],
)
def test_a_change_acts_at_once(script: Script, change: Any, status: int) -> None:
    script.get("ping")
    make_caller("other", [AdminRole.ADMIN_MANAGE])  # somebody stays who appoints
    change(people.by_user_id("script"))

    assert script.ask("GET", "ping").status_code == status


def test_whoever_guesses_is_locked_out_though_the_right_password_is_remembered(script: Script) -> None:
    script.get("ping")
    while Script(basic("script", "wrong")).ask("GET", "ping").status_code == 401:
        pass

    assert (refused := script.ask("GET", "ping")).status_code == 429
    assert int(refused["Retry-After"]) > 0


def test_an_address_that_asks_for_too_many_passwords_is_slowed_down(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_credentials, "_checks", Buckets(per_second=0.001, burst=3))
    script.get("ping")
    answers = [Script(basic(f"nobody{number}", "x")).ask("GET", "ping").status_code for number in range(3)]

    assert answers == [401, 401, 429]
    assert Script("Bearer epmm_guess").ask("GET", "ping").status_code == 429
    assert script.ask("GET", "ping").status_code == 200  # what was proven before is remembered


def test_second_factor_needs_a_token(script: Script) -> None:
    user = people.by_user_id("script")
    Authenticator.objects.create(user=user, key=b"k", confirmed=True)
    _row, token = api_tokens.create(user, name="n", scopes=[AdminRole.DEVICE_VIEW], days=1, actor="script")

    refused = script.ask("GET", "ping")
    assert refused.status_code == 401
    assert refused.json()["messages"][0]["messageKey"] == "epmm.second.factor"
    assert Script(f"Bearer {token}").ask("GET", "ping").status_code == 200


def test_a_token_is_kept_as_a_hash_and_ends(script: Script) -> None:
    user = people.by_user_id("script")
    row, token = api_tokens.create(user, name="reports", scopes=[AdminRole.DEVICE_VIEW], days=1, actor="script")
    caller = Script(f"Bearer {token}")

    caller.get("ping")
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_from == "127.0.0.1"
    assert token.encode() not in bytes(row.sha256)
    assert not AuditEntry.objects.filter(details__icontains=token).exists()

    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert caller.ask("GET", "ping").status_code == 401
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert api_tokens.revoke(row, actor="script")
    assert caller.ask("GET", "ping").status_code == 401


@pytest.mark.parametrize("answer", [403, 200])
def test_a_caller_needs_the_api_role(transactional_db: None, answer: int) -> None:
    make_caller("person", [AdminRole.DEVICE_VIEW, *([AdminRole.API] if answer == 200 else [])])

    assert Script(basic("person")).ask("GET", "ping").status_code == answer


@pytest.mark.parametrize(("space", "status"), [("1", 200), ("2", 403), ("", 200), ("-1", 403)])
def test_a_space_of_others_is_closed(script: Script, space: str, status: int) -> None:
    assert script.ask("GET", f"ping?adminDeviceSpaceId={space}").status_code == status


def test_each_call_is_in_the_audit_log_and_its_secrets_are_not(script: Script) -> None:
    script.ask("GET", "ping?limit=7&password=hush&adminDeviceSpaceId=1")
    script.ask("GET", "nothing")

    first, second = AuditEntry.objects.filter(action="api.call").order_by("pk")
    assert (first.actor, first.subject, first.status) == ("script", "GET ping", "Success")
    assert first.details == {
        "answer": 200,
        "parameters": {"adminDeviceSpaceId": "1", "limit": "7", "password": "*****"},
    }
    assert first.address == "127.0.0.1"
    assert (second.status, second.details["answer"]) == ("Failed", 404)


def test_messages_come_in_the_language_asked_for(script: Script) -> None:
    response = Script(None).ask("GET", "ping", **{"Accept-Language": "de"})

    assert "Passwort" in response.json()["messages"][0]["localizedMessage"]


def test_calls_beyond_the_limit_wait(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(throttling, "SECONDS", 1)
    settings_store.change(options.API_CALLS_PER_SECOND.name, "5", actor="test")
    *answers, last = [script.ask("GET", "ping") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert (last.status_code, last["Retry-After"]) == (429, "1")


def test_a_fault_tells_an_id_and_nothing_else(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(views.Ping, "get", broken)
    response = script.ask("GET", "ping")

    assert response.status_code == 500
    assert response["X-Request-ID"] in response.json()["messages"][0]["localizedMessage"]
    assert b"secret" not in response.content
