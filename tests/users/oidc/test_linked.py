"""People of a directory who sign in at the provider that speaks for it: one person, by the administrator's rule."""

from pathlib import Path
from typing import Any

import pytest

from epmm import settings_store
from epmm.models import AuditEntry
from tests import directories
from tests.factories import user as new_user
from tests.providers.pretender import row
from users.errors import AccountDisabled, DirectoryUnavailable, NotKnownHere
from users.models import Directory, DirectoryEntry, Group, GroupRole, IdentityProvider, ProviderLink, Role, User
from users.protocol.claims import Claimed
from users.services.directory import client
from users.services.oidc import linked
from users.services.oidc.people import arrive, provider_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    settings_store.clear_cache()
    client.forget_failures()


@pytest.fixture
def directory() -> Directory:
    """One that cannot be asked."""
    return Directory.objects.create(name="AD", domain="corp.example")


@pytest.fixture
def provider(directory: Directory) -> IdentityProvider:
    return row(directory=directory, creates_people=False)


def of(directory: Directory, user_id: str = "anna", **columns: Any) -> User:
    user = new_user(user_id, source=User.Source.LDAP, **columns)
    DirectoryEntry.objects.create(user=user, directory=directory, external_id=f"guid-{user_id}")
    return user


def claimed(**changes: Any) -> Claimed:
    return Claimed(**({"subject": "s-anna", "user_id": "anna", "full_name": "Somebody Else"} | changes))


@pytest.mark.parametrize("name", ["anna", "ANNA", "Anna.Berg@corp.example"])
def test_one_person_by_user_id_or_principal_name(directory: Directory, provider: IdentityProvider, name: str) -> None:
    anna = of(directory, upn="anna.berg@corp.example", full_name="Anna Berg")

    assert arrive(provider, claimed(user_id=name, email="other@corp.example")) == anna

    anna.refresh_from_db()
    assert (anna.source, anna.full_name, anna.email) == ("ldap", "Anna Berg", ""), "the directory says what they are"
    assert DirectoryEntry.objects.get(user=anna).directory == directory
    assert provider_of(anna, IdentityProvider.objects.all()) == provider
    assert AuditEntry.objects.get(action="user.linked").details == {"provider": provider.name}


def test_one_person_by_the_email_address_that_the_provider_has_verified(
    directory: Directory, provider: IdentityProvider
) -> None:
    provider.matches_by = IdentityProvider.Match.EMAIL
    anna = of(directory, email="Anna@corp.example")
    of(directory, "somebody")
    said = claimed(user_id="somebody", email="anna@corp.example")

    with pytest.raises(NotKnownHere):
        arrive(provider, said)
    assert not ProviderLink.objects.exists()
    assert arrive(provider, claimed(user_id="somebody", email="anna@corp.example", is_email_verified=True)) == anna


def test_they_are_found_again_by_the_sub_alone(directory: Directory, provider: IdentityProvider) -> None:
    anna, bob = of(directory), of(directory, "bob")
    arrive(provider, claimed())

    assert arrive(provider, claimed(user_id="bob")) == anna
    with pytest.raises(NotKnownHere) as refused:
        arrive(provider, claimed(subject="s-mallory"))
    assert refused.value.why == "another account of the provider is linked to this person"
    assert arrive(provider, claimed(subject="s-bob", user_id="bob")) == bob


def test_a_link_that_was_taken_away_may_be_made_anew(directory: Directory, provider: IdentityProvider) -> None:
    anna = of(directory)
    arrive(provider, claimed())

    linked.unlink(ProviderLink.objects.get(), actor="boss")

    assert AuditEntry.objects.filter(action="user.unlinked", actor="boss", subject="anna").exists()
    assert arrive(provider, claimed(subject="s-new")) == anna


def local(_: Directory) -> None:
    new_user("anna")


def local_with_password(_: Directory) -> None:
    new_user("anna", password="correct horse battery")


def of_another_directory(_: Directory) -> None:
    of(Directory.objects.create(name="Another"))


def of_another_provider(_: Directory) -> None:
    arrive(row(name="Another"), claimed())


def administrator(directory: Directory) -> None:
    of(directory, is_admin=True)


def gone(directory: Directory) -> None:
    from django.utils import timezone

    of(directory)
    DirectoryEntry.objects.update(gone_at=timezone.now())


def two(directory: Directory) -> None:
    of(directory)
    of(directory, "anna2", upn="ANNA")


@pytest.mark.parametrize(
    "made", [local, local_with_password, of_another_directory, of_another_provider, administrator, gone, two]
)
def test_nobody_else_is_taken_over(directory: Directory, provider: IdentityProvider, made: Any) -> None:
    directory.is_enabled = made in (administrator, two)  # else it would be asked, and cannot be
    directory.save()
    made(directory)
    provider.creates_people = True

    with pytest.raises(NotKnownHere):
        arrive(provider, claimed())

    assert not ProviderLink.objects.exists()


def test_who_is_disabled_or_of_a_disabled_directory_stays_out(directory: Directory, provider: IdentityProvider) -> None:
    anna = of(directory)
    arrive(provider, claimed())
    User.objects.filter(pk=anna.pk).update(is_active=False)
    with pytest.raises(AccountDisabled):
        arrive(provider, claimed())

    User.objects.filter(pk=anna.pk).update(is_active=True)
    directory.is_enabled = False
    directory.save()
    with pytest.raises(AccountDisabled):
        arrive(provider, claimed())


def test_a_link_leads_nowhere_once_the_provider_speaks_for_another_directory(
    directory: Directory, provider: IdentityProvider
) -> None:
    of(directory)
    arrive(provider, claimed())
    provider.directory = Directory.objects.create(name="Another")

    with pytest.raises(NotKnownHere):
        arrive(provider, claimed())
    provider.directory = None
    with pytest.raises(NotKnownHere):
        arrive(provider, claimed())


def test_groups_of_the_provider_count_beside_those_of_the_directory(
    directory: Directory, provider: IdentityProvider
) -> None:
    anna = of(directory)
    for origin, key in (({"directory": directory}, Role.PORTAL), ({"provider": provider}, Role.ADDE)):
        group = Group.objects.create(external_id="Staff", name="Staff", **origin)
        GroupRole.objects.create(group=group, key=key, granted_by="admin")
        if "directory" in origin:
            group.memberships.create(user=anna)

    arrive(provider, claimed(groups=frozenset({"Staff"})))
    assert anna.role_keys() == {Role.PORTAL, Role.ADDE}
    arrive(provider, claimed(groups=frozenset()))
    assert anna.role_keys() == {Role.PORTAL}


def test_the_account_of_a_claim_is_for_who_has_none(directory: Directory, provider: IdentityProvider) -> None:
    of(directory)
    provider.account_claim = "maa"
    arrive(provider, claimed(account="anna@mdm.example.test"))
    arrive(provider, claimed(account="other@mdm.example.test"))

    assert User.objects.get().managed_apple_account == "anna@mdm.example.test"


def test_while_the_directory_is_away_who_is_known_signs_in(directory: Directory, provider: IdentityProvider) -> None:
    anna = of(directory)
    arrive(provider, claimed())

    assert arrive(provider, claimed()) == anna
    with pytest.raises(DirectoryUnavailable):
        arrive(provider, claimed(subject="s-new", user_id="new"))


@pytest.mark.service("slapd")
def test_whom_no_sync_has_brought_the_directory_is_asked_for(tmp_path: Path) -> None:
    with directories.running(tmp_path / "slapd") as server:
        server.add_person("anna")
        directory = directories.directory(server)
        provider = row(directory=directory)

        anna = arrive(provider, claimed())

        assert (anna.source, anna.display_name) == ("ldap", "Anna Annason")
        assert ProviderLink.objects.get().user == anna
        other = arrive(provider, claimed(subject="s-guest", user_id="guest"))
        assert other.source == "oidc", "whom the directory does not have is added where the provider may"
