"""Services > Identity providers: set up, tested, switched off, deleted."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from epmm.models import AuditEntry
from tests.portal.conftest import SignedIn
from tests.providers import pretender as far
from tests.providers.pretender import ISSUER, Pretender
from users.models import AdminRole, Directory, DirectoryEntry, Group, IdentityProvider, ProviderLink, User
from users.protocol.claims import Claimed
from users.services.oidc import people

pytestmark = pytest.mark.django_db
HERE = "/admin/services/providers"
FILLED = {
    "name": "Corp Login",
    "issuer": ISSUER,
    "client_id": "epmm",
    "client_secret": "first secret",
    "scopes": "openid profile",
    "user_id_claim": "preferred_username",
    "groups_claim": "groups",
    "groups": "Staff\n\n Managers \nStaff",
    "allowed_groups": "",
    "position": "0",
    "for_enrollment": "on",
    "creates_people": "on",
    "is_enabled": "on",
}


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    with far.in_place() as made:
        yield made


def added(client: Client, **changes: Any) -> IdentityProvider:
    assert client.post(f"{HERE}/add", FILLED | changes).status_code == 302
    return IdentityProvider.objects.get()


def test_an_administrator_sets_one_up(signed_in: SignedIn) -> None:
    client = signed_in()

    provider = added(client)

    assert (provider.issuer, provider.is_enabled, provider.for_portal, provider.for_enrollment) == (
        ISSUER,
        True,
        False,
        True,
    )
    assert bytes(provider.client_secret or b"") == b"first secret"
    assert set(provider.groups.values_list("external_id", flat=True)) == {"Staff", "Managers"}
    page = client.get(f"{HERE}/{provider.pk}").content.decode()
    assert f"https://mdm.example.test:8443/enroll/provider/{provider.pk}/callback" in page
    assert f"https://mdm.example.test:8443/admin/sign-in/provider/{provider.pk}/callback" in page
    assert "first secret" not in page
    entry = AuditEntry.objects.get(action="identity_provider.added")
    assert "first secret" not in str(entry.details)
    assert "Corp Login" in client.get(HERE).content.decode()


def test_what_is_left_empty_stays_and_a_group_may_go(signed_in: SignedIn) -> None:
    client = signed_in()
    provider = added(client)

    changes = {"client_secret": "", "groups": "Staff", "is_enabled": ""}
    answer = client.post(f"{HERE}/{provider.pk}", {k: v for k, v in (FILLED | changes).items() if k != "is_enabled"})

    assert answer.status_code == 302
    provider.refresh_from_db()
    assert (bytes(provider.client_secret or b""), provider.is_enabled) == (b"first secret", False)
    assert Group.objects.values_list("name", "name_folded").get() == ("Staff", "staff")
    assert AuditEntry.objects.get(action="identity_provider.changed").details["groups"]["removed"] == ["Managers"]


def test_its_groups_are_given_roles_where_they_are_named(signed_in: SignedIn) -> None:
    client = signed_in()
    provider = added(client)
    anna = people.arrive(provider, Claimed(subject="s", user_id="anna", groups=frozenset({"Staff"})))
    staff = provider.groups.get(name="Staff")
    page = client.get(f"{HERE}/{provider.pk}").content.decode()
    assert f'name="row" value="{staff.pk}"' in page
    chosen = {"row": str(staff.pk)}
    assert "Assign Roles: Staff" in client.post("/admin/users/groups/roles", chosen).content.decode()

    answer = client.post(
        "/admin/users/groups/roles",
        {"go": "1", "chosen": str(staff.pk), "granted": ["apple.adde", "portal.lock", "portal"]},
    )

    assert answer.status_code == 204
    assert anna.role_keys() == {"apple.adde", "portal", "portal.lock"}
    assert "Roles: User Portal, Lock Device, Allow" in client.get(f"{HERE}/{provider.pk}").content.decode()
    everything = {"all": "1", "matching": "to=ldap&entities=group"}
    assert "Nothing is selected" in client.post("/admin/users/groups/roles", everything).content.decode()
    reader = signed_in("reader", [AdminRole.SETTINGS_VIEW]).get(f"{HERE}/{provider.pk}").content.decode()
    assert ("Staff" in reader, "Assign Roles" in reader) == (True, False)


def test_the_secret_is_not_sent_to_another_issuer(signed_in: SignedIn) -> None:
    client = signed_in()
    provider = added(client)

    client.post(f"{HERE}/{provider.pk}", FILLED | {"client_secret": "", "issuer": "https://elsewhere.example"})

    provider.refresh_from_db()
    assert (provider.issuer, provider.client_secret) == ("https://elsewhere.example", None)


def test_no_other_issuer_says_who_its_people_are(signed_in: SignedIn) -> None:
    client = signed_in()
    provider = added(client)
    people.arrive(provider, Claimed(subject="s", user_id="anna"))

    answer = client.post(f"{HERE}/{provider.pk}", FILLED | {"issuer": "https://elsewhere.example"})

    assert (answer.status_code, b"could claim to be any of them" in answer.content) == (422, True)
    provider.refresh_from_db()
    assert provider.issuer == ISSUER
    assert client.post(f"{HERE}/{provider.pk}", FILLED | {"issuer": f"{ISSUER}/"}).status_code == 302


def test_people_of_a_directory_are_matched_and_one_is_let_go(signed_in: SignedIn) -> None:
    directory = Directory.objects.create(name="AD", is_enabled=False)
    anna = User.objects.create(user_id="anna", source=User.Source.LDAP)
    DirectoryEntry.objects.create(user=anna, directory=directory, external_id="guid-anna")
    client = signed_in()
    provider = added(client, directory=str(directory.pk), matches_by="email", for_self="on")
    assert (provider.directory, provider.matches_by, provider.for_self) == (directory, "email", True)
    link = ProviderLink.objects.create(user=anna, provider=provider, subject="s-anna")
    page = client.get(f"/admin/users/{anna.pk}").content.decode()
    assert "Also signs in at" in page
    assert "Corp Login" in page
    moved = client.post(f"{HERE}/{provider.pk}", FILLED | {"issuer": "https://elsewhere.example"})
    assert (moved.status_code, b"could claim to be any of them" in moved.content) == (422, True)

    answer = client.post(f"/admin/users/links/{link.pk}/unlink")

    assert answer["Location"] == f"/admin/users/{anna.pk}"
    assert not ProviderLink.objects.exists()
    assert AuditEntry.objects.filter(action="user.unlinked", subject="anna").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://login.example.test"},
        {"issuer": "https://a:b@login.example.test"},
        {"issuer": "https://login.example.test/?x=1"},
        {"issuer": "https://[login"},
        {"issuer": ""},
        {"client_id": " "},
        {"scopes": "profile"},
        {"user_id_claim": ""},
        {"name": ""},
        {"position": "-1"},
        {"groups": "x" * 256},
        {"groups": "\n".join(map(str, range(201)))},
    ],
)
def test_what_is_not_saved(signed_in: SignedIn, wrong: dict[str, str]) -> None:
    answer = signed_in().post(f"{HERE}/add", FILLED | wrong)

    assert (answer.status_code, b"error-text" in answer.content) == (422, True)
    assert not IdentityProvider.objects.exists()


def test_test(signed_in: SignedIn, pretender: Pretender) -> None:
    client = signed_in()
    provider = added(client)

    dialog = client.post(f"{HERE}/{provider.pk}/test")
    assert (dialog.status_code, b"https://login.example.test/authorize" in dialog.content) == (200, True)

    pretender.is_down = True
    dialog = client.post(f"{HERE}/{provider.pk}/test")
    assert (dialog.status_code, b"login.example.test does not answer" in dialog.content) == (422, True)


def test_one_that_people_come_from_stays(signed_in: SignedIn) -> None:
    client = signed_in()
    provider = added(client)
    user = people.arrive(provider, Claimed(subject="s", user_id="anna"))

    assert b"People come from it" in client.post(f"{HERE}/{provider.pk}/delete").content
    assert client.post(f"{HERE}/{provider.pk}/delete", {"go": "1"}).status_code == 422
    user.delete()
    answer = client.post(f"{HERE}/{provider.pk}/delete", {"go": "1"})

    assert (answer.status_code, answer["HX-Redirect"]) == (204, HERE)
    assert not IdentityProvider.objects.exists()


def test_who_only_looks_changes_nothing(signed_in: SignedIn) -> None:
    provider = far.row()
    client = signed_in("viewer", [AdminRole.SETTINGS_VIEW])

    page = client.get(f"{HERE}/{provider.pk}")

    assert (page.status_code, b'type="submit" class="button primary"' in page.content) == (200, False)
    assert client.post(f"{HERE}/{provider.pk}", FILLED).status_code == 403


def test_the_list_costs_the_same_with_many(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    for number in range(60):
        far.row(name=f"Provider {number}")

    with django_assert_max_num_queries(12):
        page = client.get(HERE)

    assert len(page.content) < 60_000
