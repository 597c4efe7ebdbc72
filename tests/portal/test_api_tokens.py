"""Access tokens of the API in the portal and on the command line."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.api.conftest import Script
from tests.portal.conftest import PASSWORD, SignedIn, make_administrator
from tests.portal.test_account import left_open
from users.models import AdminRole, ApiToken
from users.services import api_tokens, people

pytestmark = pytest.mark.django_db(transaction=True)
ADD = "/admin/account/tokens/add"
SENT = {"go": "1", "name": "Reports", "days": "30", "scopes": [AdminRole.DEVICE_VIEW.value]}


def test_a_token_is_made_shown_once_and_revoked(signed_in: SignedIn) -> None:
    client = signed_in()
    made = client.post(ADD, SENT).content.decode()
    found = re.search(r"epmm_[\w-]+", made)
    assert found is not None
    script = Script(f"Bearer {found[0]}")

    assert script.ask("GET", "devices?query=").status_code == 200
    assert script.ask("GET", "authorized/users").status_code == 403
    page = client.get("/admin/account").content.decode()
    assert "Reports" in page
    assert found[0] not in page
    token = ApiToken.objects.get()
    client.post("/admin/account/tokens/revoke", {"token": token.pk})
    assert script.ask("GET", "devices?query=").status_code == 401
    assert "Reports" not in client.get("/admin/account").content.decode().split("<main")[1].split("message")[0]


def test_a_screen_left_open_makes_none(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in()
    left_open(monkeypatch)

    assert client.post(ADD, SENT).status_code == 422
    assert client.post(ADD, SENT | {"password": "wrong"}).status_code == 422
    assert not ApiToken.objects.exists()
    assert client.post(ADD, SENT | {"password": PASSWORD}).status_code == 200
    assert ApiToken.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"days": "9999"}, {"scopes": []}, {"scopes": ["device.wipe"]}, {"scopes": ["api"]}]
)
def test_what_is_no_token_is_not_made(signed_in: SignedIn, wrong: dict[str, object]) -> None:
    client = signed_in(roles=[AdminRole.API, AdminRole.DEVICE_VIEW])

    assert client.post(ADD, SENT | wrong).status_code == 422
    assert not ApiToken.objects.exists()


def test_without_the_role_there_are_none(signed_in: SignedIn) -> None:
    client = signed_in(roles=[AdminRole.DEVICE_VIEW])

    assert client.post(ADD, SENT).status_code == 403
    assert "account/tokens/add" not in client.get("/admin/account").content.decode()


def test_tokens_of_others(signed_in: SignedIn) -> None:
    """Whoever manages administrators takes them; nobody takes one by its number under their own account."""
    client = signed_in()
    other = make_administrator("other")
    row, _token = api_tokens.create(other, name="Theirs", scopes=[AdminRole.DEVICE_VIEW], days=1, actor="other")

    assert "Theirs" in client.get(f"/admin/admins/{other.pk}/tokens").content.decode()
    client.post("/admin/account/tokens/revoke", {"token": row.pk})
    assert ApiToken.objects.get().revoked_at is None
    client.post(f"/admin/admins/{other.pk}/tokens", {"token": row.pk})
    assert ApiToken.objects.get().revoked_by == "admin"


def test_on_the_command_line(transactional_db: None) -> None:
    make_administrator("robot", [AdminRole.API, AdminRole.LABEL_VIEW])

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("api_token", *arguments, stdout=out)
        return out.getvalue().strip()

    script = Script(f"Bearer {run('create', 'robot', '--name', 'nightly', '--days', '2')}")
    assert script.ask("GET", "labels/label_summary").status_code == 200
    number, told = run("list", "robot").split(maxsplit=1)
    assert told.startswith("nightly  until ")
    assert told.endswith("label.view")
    run("revoke", "robot", "--number", number)
    assert script.ask("GET", "labels/label_summary").status_code == 401
    for wrong in (("revoke", "robot"), ("create", "nobody"), ("create", "robot", "--scope", "device.wipe")):
        with pytest.raises(CommandError):
            run(*wrong)
    assert people.by_user_id("robot").api_tokens.count() == 1
