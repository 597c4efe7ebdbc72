import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from devices.models import Device
from epmm import settings_store
from tests import factories
from users.models import RegistrationPin, Role, User
from users.services import pins

ACCOUNT = "alice@mdm.example.test"


def run(*arguments: str, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err, no_color=True, **options)
    return out.getvalue(), err.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert error.value.returncode == 1
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\r\nsecond line\n"))


@pytest.mark.django_db
def test_adduser_with_everything(typed: None) -> None:
    out, err = run(
        *["adduser", "alice", "--display-name", "Alice Adams", "--email", "a@mail.example", "--admin"],
        *["--managed-apple-account", ACCOUNT, "--role", "apple.adde", "--role", "portal.wipe", "--password-stdin"],
    )

    alice = User.objects.get()
    assert (out, err) == ("alice was added.\n", "")
    assert (alice.full_name, alice.email, alice.managed_apple_account) == ("Alice Adams", "a@mail.example", ACCOUNT)
    assert alice.is_admin
    assert alice.role_keys() == {Role.PORTAL, Role.PORTAL_WIPE, Role.ADDE}
    assert alice.check_password("correct horse battery")


@pytest.mark.django_db
def test_adduser_without_a_password_says_that_only_a_pin_lets_in() -> None:
    out, _ = run("adduser", "alice")

    assert "Without a password only a PIN lets in: `manage.py pin alice` issues one." in out
    assert not User.objects.get().has_usable_password()
    assert not User.objects.get().is_admin


@pytest.mark.django_db
def test_adduser_says_why_not() -> None:
    run("adduser", "alice")

    assert refusal("adduser", "ALICE") == "The user ID ALICE is taken."
    assert "without spaces" in refusal("adduser", "b ob")
    assert "Managed Apple Account" in refusal("adduser", "bob", "--role", "apple.adde")
    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("line", [b"\n", b"", b"short\n", b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\n"])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_adduser_refuses_what_is_no_password(monkeypatch: pytest.MonkeyPatch, line: bytes, errors: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line), encoding="utf-8", errors=errors))

    assert "password" in refusal("adduser", "alice", "--password-stdin")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_assign_role_grants_and_removes() -> None:
    alice = factories.user("alice")

    assert run("assign_role", "Alice", "portal.wipe", "portal.lock")[0] == (
        "alice has: portal, portal.lock, portal.wipe\n"
    )
    assert run("assign_role", "alice", "portal", "--remove")[0] == "alice has: no role\n"
    assert alice.role_keys() == set()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "feature", "kind"),
    [
        ("apple.adde", "ios.mdm.account_driven_device_enrollment", "device"),
        ("apple.aaue", "ios.mdm.account_driven_user_enrollment", "user"),
    ],
)
def test_assign_role_notes_a_feature_that_is_off_and_grants_all_the_same(key: str, feature: str, kind: str) -> None:
    alice = factories.user("alice")
    effect = "The role is saved but has no effect until it is switched on.\n"
    note = f"Account-driven {kind} enrollment is switched off. {effect}"

    assert run("assign_role", "alice", key, "--managed-apple-account", ACCOUNT)[1] == note
    assert key in alice.role_keys()
    assert run("assign_role", "alice", key, "--remove")[1] == ""
    settings_store.change(feature, "on", actor="root")
    assert run("assign_role", "alice", key)[1] == ""
    settings_store.change("ios.mdm.profile", "off", actor="root")
    assert run("assign_role", "alice", key)[1] == f"Enable MDM Profile is switched off. {effect}"


@pytest.mark.django_db
def test_assign_role_says_why_not() -> None:
    alice = factories.user("alice", roles=())

    assert refusal("assign_role", "bob", "portal") == "There is no user bob."
    assert "There is no role portal.fly." in refusal("assign_role", "alice", "portal", "portal.fly")
    assert "Enter the Managed Apple Account" in refusal("assign_role", "alice", "apple.adde")
    assert "needs the role portal" in refusal("assign_role", "alice", "portal.wipe")
    assert "not with --remove" in refusal(
        "assign_role", "alice", "portal", "--remove", "--managed-apple-account", ACCOUNT
    )
    assert alice.role_keys() == set()


@pytest.mark.django_db
def test_pin_prints_the_pin_alone() -> None:
    alice = factories.user("alice")

    out, err = run("pin", "ALICE")

    assert err == ""
    assert pins.check(alice, out.removesuffix("\n"), "sign-in").user == alice
    assert Device.objects.get().status == Device.Status.VERIFICATION_PENDING


@pytest.mark.django_db
def test_pin_as_json() -> None:
    alice = factories.user("alice")

    answer = json.loads(run("pin", "alice", "--json")[0])

    row = RegistrationPin.objects.get()
    assert answer.keys() == {"user_id", "pin", "expires_at"}
    assert (answer["user_id"], answer["expires_at"]) == ("alice", row.expires_at.isoformat())
    assert pins.check(alice, answer["pin"], "sign-in") == row


@pytest.mark.django_db
def test_pin_for_nobody() -> None:
    assert refusal("pin", "bob") == "There is no user bob."
