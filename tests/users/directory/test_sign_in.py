"""Signing in with the password of a directory; and what a stranger, or anybody while it is away, learns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher

from epmm.models import AuditEntry
from tests import directories, factories
from tests.directories import PASSWORD, PEOPLE, Slapd
from tests.ports import free_port
from users.errors import AccountDisabled, DirectoryUnavailable, SignInRefused, WrongCredentials
from users.models import Directory, Group, User
from users.services import sign_in
from users.services.directory import client, groups, sync
from users.services.directory.client import Connection

pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db(transaction=True)]
DOMAINS = ["mdm.example.test"]


def enter(name: str, password: str = PASSWORD, **more: Any) -> User:
    asked: dict[str, Any] = {"pin": "", "requirement": "password", "address": "192.0.2.1", "used_for": "x"}
    return sign_in.verify(name, password=password, domains=DOMAINS, **(asked | more)).user


def refusal(name: str, password: str = PASSWORD, **more: Any) -> type[SignInRefused]:
    with pytest.raises(SignInRefused) as refused:
        enter(name, password, **more)
    return refused.type


@pytest.mark.parametrize("name", ["anna", "ANNA", "anna@mdm.example.test", " anna "])
def test_somebody_who_was_synced_signs_in(server: Slapd, directory: Directory, name: str) -> None:
    server.add_person("anna")
    sync.run(directory)

    assert enter(name).user_id == "anna"
    assert refusal(name, "wrong") is WrongCredentials


@pytest.mark.parametrize("name", ["berta", "berta@mdm.example.test", "b.berta@other.example"])
def test_somebody_who_was_not_synced_is_added_by_the_right_password(
    server: Slapd, directory: Directory, name: str
) -> None:
    berta = server.add_person("berta", mail="b.berta@other.example")
    with client.connected(directory) as connection:
        team = groups.choose(connection, server.add_group("team", [berta]), Group.Kind.GROUP, actor="admin")
    assert refusal(name, "wrong") is WrongCredentials
    assert not User.objects.exists()

    user = enter(name)
    assert (user.user_id, user.source) == ("berta", User.Source.LDAP)
    assert [each.group for each in user.memberships.all()] == [team]


@pytest.mark.parametrize("name", ["*", "a*", "anna)(uid=*", "anna)(|(uid=*", "\\61nna", "uid=anna", "(anna)", "anna\0"])
def test_a_name_cannot_become_a_part_of_the_filter(server: Slapd, directory: Directory, name: str) -> None:
    server.add_person("anna")

    assert refusal(name) is WrongCredentials
    assert not User.objects.exists()


def test_an_empty_password_is_nobodys(server: Slapd, directory: Directory) -> None:
    server.add_person("anna")
    sync.run(directory)

    assert refusal("anna", "") is WrongCredentials


def test_roles_of_groups_are_those_of_now(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    berta = server.add_person("berta")
    with client.connected(directory) as connection:
        team = groups.choose(connection, server.add_group("team", [berta]), Group.Kind.GROUP, actor="admin")
    assert team is not None
    team.roles.create(key="portal", granted_by="admin")
    sync.run(directory)
    server.change(team.dn, member=[anna])

    assert enter("anna").role_keys() == {"portal"}
    assert enter("berta").role_keys() == frozenset()


def test_nobody_of_a_disabled_directory_signs_in(server: Slapd, directory: Directory) -> None:
    server.add_person("anna")
    server.add_person("berta")
    sync.run(directory)
    factories.pin(User.objects.get(user_id="anna"))
    Directory.objects.update(is_enabled=False)

    assert refusal("anna") is WrongCredentials
    assert refusal("berta") is WrongCredentials
    assert refusal("anna", "", pin=factories.DIGITS, requirement="pin") is AccountDisabled


def test_whoever_is_gone_does_not_sign_in(server: Slapd, directory: Directory) -> None:
    server.add_person("berta")
    anna = server.add_person("anna")
    sync.run(directory)
    server.remove(anna)
    assert refusal("anna") is WrongCredentials

    sync.run(directory)
    assert refusal("anna") is WrongCredentials


def test_whom_an_administrator_switched_off_is_told_after_the_right_password(
    server: Slapd, directory: Directory
) -> None:
    server.add_person("anna")
    sync.run(directory)
    User.objects.update(is_active=False)

    assert refusal("anna") is AccountDisabled
    assert refusal("anna", "wrong") is WrongCredentials


def test_a_local_name_is_not_the_directorys(server: Slapd, directory: Directory) -> None:
    local = factories.user("anna", password="another one")
    server.add_person("anna")

    assert refusal("anna", PASSWORD) is WrongCredentials
    assert enter("anna", "another one") == local


def test_two_people_of_one_name_are_nobody(server: Slapd, directory: Directory) -> None:
    server.add_person("anna", mail="team@mdm.example.test")
    server.add_person("berta", mail="team@mdm.example.test")

    assert refusal("team@mdm.example.test") is WrongCredentials


def test_somebody_renamed_since_the_last_sync_is_still_the_same(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    sync.run(directory)
    before = User.objects.get().pk
    server.rename(anna, "uid=meier")

    assert enter("anna").pk == before
    assert User.objects.get().user_id == "meier"


def test_password_and_pin_are_looked_at_together(server: Slapd, directory: Directory) -> None:
    server.add_person("anna")
    sync.run(directory)
    factories.pin(User.objects.get())
    both = {"requirement": "password_and_pin"}

    assert enter("anna", pin=factories.DIGITS, **both).user_id == "anna"
    assert refusal("anna", pin="000000", **both) is WrongCredentials
    assert refusal("anna", "wrong", pin=factories.DIGITS, **both) is WrongCredentials


def test_while_the_directory_is_away_nobody_is_told_that_a_password_is_wrong(
    server: Slapd, directory: Directory
) -> None:
    server.add_person("anna")
    sync.run(directory)
    local = factories.user("local")
    server.stop()

    assert enter("local") == local, "somebody local does not depend on it"
    for name in ("anna", "nobody", "local"):
        assert refusal(name, "wrong") is DirectoryUnavailable, "so it does not tell who is local either"
    entry = AuditEntry.objects.filter(action=sign_in.FAILED, subject="anna").latest("pk")
    assert entry.details == {"reason": "DirectoryUnavailable"}


def test_the_other_server_of_a_directory_takes_over(server: Slapd, directory: Directory, tmp_path: Path) -> None:
    server.add_person("anna")
    sync.run(directory)
    Directory.objects.update(failover_url=server.url, url=f"ldaps://127.0.0.1:{free_port()}")

    assert enter("anna").user_id == "anna"


def test_people_of_one_directory_sign_in_while_another_is_away(
    server: Slapd, directory: Directory, tmp_path: Path
) -> None:
    server.add_person("anna")
    sync.run(directory)
    directories.directory(server, "Away", url=f"ldaps://127.0.0.1:{free_port()}")

    assert enter("anna").user_id == "anna"
    assert refusal("anna", "wrong") is DirectoryUnavailable
    assert refusal("nobody") is DirectoryUnavailable


def test_two_directories_have_their_own_people(server: Slapd, directory: Directory, tmp_path: Path) -> None:
    server.add_person("anna")
    with directories.running(tmp_path / "second") as second:
        second.add_person("berta")
        other = directories.directory(second, "Second")
        assert enter("berta").directory_entry.directory == other
        assert enter("anna").directory_entry.directory == directory


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What is done for one attempt with a wrong password, step by step."""
    done: list[str] = []

    def noted(owner: type, name: str) -> None:
        really = getattr(owner, name)

        def step(*arguments: Any, **options: Any) -> Any:
            done.append(name)
            return really(*arguments, **options)

        monkeypatch.setattr(owner, name, step)

    noted(MD5PasswordHasher, "encode")
    noted(Connection, "some")
    noted(Connection, "proves")

    def attempt(name: str) -> list[str]:
        done.clear()
        assert refusal(name, "wrong") is WrongCredentials
        return list(done)

    return attempt


def test_known_and_unknown_names_make_the_same_work(
    server: Slapd, directory: Directory, work: Callable[[str], list[str]]
) -> None:
    server.add_person("anna")
    sync.run(directory)
    server.add_person("unsynced")
    factories.user("local")

    assert work("anna") == work("unsynced") == work("nobody") == work("local") == ["encode", "some", "proves"]


def test_an_unknown_name_is_bound_as_somebody_who_is_not_there(
    server: Slapd, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[str] = []

    def proves(_self: Connection, dn: str, _password: str) -> bool:
        bound.append(dn)
        return False

    monkeypatch.setattr(Connection, "proves", proves)

    assert refusal("nobody") is WrongCredentials
    assert bound[0].endswith(PEOPLE)
    assert "nobody" not in bound[0]
