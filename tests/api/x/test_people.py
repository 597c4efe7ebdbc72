"""Roles, accounts and PINs of people, as scripts see to them."""

from typing import Any

import pytest

from epmm import settings_store
from epmm.models import AuditEntry, Job
from tests import factories
from tests.api.conftest import Script
from tests.api.x.conftest import problem
from users.models import Directory, Group, GroupRole, Membership, RegistrationPin, Role, User
from users.services import pins

pytestmark = pytest.mark.django_db(transaction=True)
DOMAIN = "corp.example.test"


@pytest.fixture
def mia(script: Script) -> User:
    settings_store.change("enrollment.domains", DOMAIN, actor="test")
    return factories.user("mia", first_name="Mia", last_name="Ito", email="mia@example.com")


def test_roles_are_granted_with_the_account_that_they_need(script: Script, mia: User) -> None:
    where = f"users/{mia.uuid}/roles"
    problem(script.ask("POST", where, {"roles": ["apple.adde"]}), 422)
    problem(script.ask("POST", where, {"roles": ["apple.adde"], "managed_apple_account": "mia@elsewhere.test"}), 422)
    assert [held["key"] for held in script.get(where)["items"]] == ["portal"]

    given = {"roles": ["apple.adde", "portal.lock"], "managed_apple_account": f"mia@{DOMAIN}"}
    granted = script.ask("POST", where, given).json()["items"]
    assert [(held["key"], held["group"], held["granted_by"]) for held in granted] == [
        ("portal", None, "tests"), ("portal.lock", None, "script"), ("apple.adde", None, "script"),
    ]  # fmt: skip
    assert script.get(f"users/{mia.uuid}")["managed_apple_account"] == f"mia@{DOMAIN}"


def test_a_role_of_a_group_says_so_and_stays(script: Script, mia: User) -> None:
    directory = Directory.objects.create(name="Example")
    group = Group.objects.create(name="Sales", directory=directory, external_id="g")
    GroupRole.objects.create(group=group, key=Role.PORTAL, granted_by="admin")
    Membership.objects.create(group=group, user=mia)
    where = f"users/{mia.uuid}/roles"
    assert [(held["key"], held["group"]) for held in script.get(where)["items"]] == [
        ("portal", None), ("portal", "Sales"),
    ]  # fmt: skip

    assert script.ask("DELETE", f"{where}/portal").status_code == 204
    problem(script.ask("DELETE", f"{where}/portal"), 404)
    problem(script.ask("DELETE", f"{where}/nonsense"), 404)
    assert [(held["key"], held["group"]) for held in script.get(where)["items"]] == [("portal", "Sales")]


def test_accounts_are_seen_before_they_are_given(script: Script, mia: User) -> None:
    ben = factories.user("ben")
    given: dict[str, Any] = {
        "users": [{"user": str(mia.uuid)}, {"user": str(ben.uuid)}],
        "source": "pattern",
        "pattern": "{first_name}.{last_name}@{domain}",
    }

    preview = script.ask("POST", "managed_apple_accounts/preview", given).json()["items"]
    assert [(each["after"], bool(each["problem"]), each["saved"]) for each in preview] == [
        (f"mia.ito@{DOMAIN}", False, False), (None, True, False),
    ]  # fmt: skip
    assert not User.objects.exclude(managed_apple_account=None).exists()
    saved = script.ask("POST", "managed_apple_accounts", given).json()["items"]
    assert [(each["before"], each["after"], each["saved"]) for each in saved] == [
        (None, f"mia.ito@{DOMAIN}", True), (None, None, False),
    ]  # fmt: skip
    typed = {"users": [{"user": str(mia.uuid), "managed_apple_account": None}], "source": "typed"}
    assert script.ask("POST", "managed_apple_accounts", typed).json()["items"][0]["after"] is None
    stranger = {"users": [{"user": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01"}], "source": "typed"}
    problem(script.ask("POST", "managed_apple_accounts", stranger), 404)


def test_a_pin_is_shown_once_and_again_only_to_who_repeats_the_call(script: Script, mia: User) -> None:
    made = script.ask("POST", "registration_pins", {"user": str(mia.uuid)}, **{"Idempotency-Key": '"pin of mia"'})
    assert made.status_code == 201
    issued = made.json()
    assert pins.check(mia, issued["pin"], "test").pk == issued["id"]
    assert Job.objects.filter(kind="enrollment.pin_issued", arguments={"pin": issued["id"]}).exists()

    again = script.ask("POST", "registration_pins", {"user": str(mia.uuid)}, **{"Idempotency-Key": '"pin of mia"'})
    assert again.json() == issued
    assert RegistrationPin.objects.count() == 1
    shown = script.get(made["Location"])
    assert "pin" not in shown
    assert shown["state"] == "issued"
    assert not AuditEntry.objects.filter(details__icontains=issued["pin"]).exists()


def test_a_pin_is_taken_back_once(script: Script, mia: User) -> None:
    factories.pin(mia)
    problem(script.ask("POST", "registration_pins", {"user": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01"}), 404)
    script.ask("POST", "registration_pins", {"user": str(mia.uuid)})
    second, first = script.get(f"registration_pins?user={mia.uuid}")["items"]
    assert (first["state"], second["state"]) == ("replaced", "issued")

    assert script.ask("DELETE", f"registration_pins/{second['id']}").status_code == 204
    problem(script.ask("DELETE", f"registration_pins/{second['id']}"), 409)
    assert script.get(f"registration_pins/{second['id']}")["state"] == "revoked"


def test_whom_a_directory_knows_is_corrected_there(script: Script) -> None:
    known = factories.user("dora", source=User.Source.LDAP)

    told = problem(script.ask("PATCH", f"users/{known.uuid}", {"first_name": "Dora"}, **{"If-Match": "*"}), 422)
    assert "directory" in told["detail"]
