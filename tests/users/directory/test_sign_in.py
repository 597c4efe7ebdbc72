"""Signing in with the password of a directory; and what a stranger, or anybody while it is away, learns."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.utils import timezone

from epmm.models import AuditEntry, Job
from tests import directories, factories
from tests.directories import PASSWORD, PEOPLE, Slapd
from tests.ports import free_port
from users.errors import AccountDisabled, DirectoryUnavailable, SignInRefused, WrongCredentials
from users.models import Directory, DirectorySync, Group, User
from users.services import sign_in
from users.services.directory import client, groups, sync
from users.services.directory import sign_in as directory_sign_in
from users.services.directory.store import LOOK_AGAIN

ldap = pytest.importorskip("ldap")  # it has no wheel
SimpleLDAPObject = ldap.ldapobject.SimpleLDAPObject
pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db(transaction=True)]
DOMAINS = ["mdm.example.test"]
BOTH = {"requirement": "password_and_pin"}


def enter(name: str, password: str = PASSWORD, **more: Any) -> User:
    asked: dict[str, Any] = {"pin": "", "requirement": "password", "address": "192.0.2.1", "used_for": "x"}
    return sign_in.verify(name, password=password, domains=DOMAINS, **(asked | more)).user


def refusal(name: str, password: str = PASSWORD, **more: Any) -> type[SignInRefused]:
    with pytest.raises(SignInRefused) as refused:
        enter(name, password, **more)
    return refused.type


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """For what leaves it as it was."""
    with directories.running(tmp_path_factory.mktemp("slapd")) as server:
        server.add_person("anna")
        yield server


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
    Job.objects.all().delete()

    joined, left = enter("anna"), enter("berta")
    assert joined.role_keys() == {"portal"}
    assert left.role_keys() == frozenset()
    looked_at = Job.objects.filter(kind=LOOK_AGAIN).order_by("pk").values_list("arguments", flat=True)
    assert list(looked_at) == [{"users": [joined.pk]}, {"users": [left.pk]}]


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

    assert enter("anna", pin=factories.DIGITS, **BOTH).user_id == "anna"
    assert refusal("anna", pin="000000", **BOTH) is WrongCredentials
    assert refusal("anna", "wrong", pin=factories.DIGITS, **BOTH) is WrongCredentials


def test_without_the_pin_no_password_is_tried_at_the_directory(
    server: Slapd, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts wrong ones, and locks; and of somebody new the right one would be told by what is then stored."""
    anna = server.add_person("anna")
    sync.run(directory)
    factories.pin(User.objects.get())
    server.add_person("unsynced")
    bound = binds(monkeypatch)

    for name in ("anna", "unsynced", "nobody"):
        for password in (PASSWORD, "wrong"):
            assert refusal(name, password, pin="000000", **BOTH) is WrongCredentials
    assert len(bound) == 12
    assert {who for who in bound if who.startswith("uid=")} == set()
    assert [*User.objects.values_list("user_id", flat=True)] == ["anna"]
    assert refusal("anna", "wrong", pin=factories.DIGITS, **BOTH) is WrongCredentials
    assert bound[12:] == [directories.READER, anna]


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


def test_whoever_is_refused_because_it_is_away_has_the_pages_say_so(server: Slapd, directory: Directory) -> None:
    sync.run(directory)
    Job.objects.all().delete()
    server.stop()
    assert refusal("anna") is DirectoryUnavailable
    assert not Job.objects.filter(kind=sync.KIND).exists(), "it was synced just now"

    DirectorySync.objects.update(ended_at=timezone.now() - sync.AFTER_A_FAILURE)
    for _again in range(2):
        assert refusal("anna") is DirectoryUnavailable
    (job,) = Job.objects.filter(kind=sync.KIND)
    sync.work(job.arguments["directory"])
    assert DirectorySync.objects.get().error
    job.delete()
    assert refusal("anna") is DirectoryUnavailable
    assert not Job.objects.filter(kind=sync.KIND).exists(), "its schedule asks again"


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
    noted(SimpleLDAPObject, "search_ext")
    noted(SimpleLDAPObject, "simple_bind_s")

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

    assert work("anna") == work("unsynced") == work("nobody") == work("local") == [
        "encode", "simple_bind_s", "search_ext", "simple_bind_s",
    ]  # fmt: skip


def test_an_unknown_name_is_bound_as_somebody_who_is_not_there(
    server: Slapd, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = binds(monkeypatch)

    assert refusal("nobody") is WrongCredentials
    assert bound[0] == directories.READER
    assert bound[1].endswith(PEOPLE)
    assert "nobody" not in bound[1]


def binds(monkeypatch: pytest.MonkeyPatch, error: type[Exception] | None = None) -> list[str]:
    """As whom; the server answers to a person's with this error."""
    bound: list[str] = []
    really = SimpleLDAPObject.simple_bind_s

    def bind(handle: Any, who: str, password: str) -> Any:
        bound.append(who)
        if error is not None and who != directories.READER:
            raise error({"desc": "said so"})
        return really(handle, who, password)

    monkeypatch.setattr(SimpleLDAPObject, "simple_bind_s", bind)
    return bound


def test_an_empty_password_is_bound_with_by_nobody(
    server: Slapd, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be an anonymous bind (RFC 4513, 5.1.2), whoever asks for it."""
    server.add_person("anna")
    bound = binds(monkeypatch)

    assert directory_sign_in.proven(User(pk=0), "", "anna") is None
    assert bound == []


@pytest.mark.parametrize("name", ["anna", "nobody"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ldap.INVALID_CREDENTIALS, WrongCredentials),
        (ldap.UNWILLING_TO_PERFORM, WrongCredentials),
        (ldap.CONSTRAINT_VIOLATION, WrongCredentials),
        (ldap.NO_SUCH_OBJECT, WrongCredentials),
        (ldap.SERVER_DOWN, DirectoryUnavailable),
        (ldap.TIMEOUT, DirectoryUnavailable),
        (ldap.BUSY, DirectoryUnavailable),
        (ldap.OTHER, DirectoryUnavailable),
    ],
)
def test_what_the_server_says_to_a_bind(
    running: Slapd,
    db: None,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    error: type[Exception],
    expected: type[SignInRefused],
) -> None:
    directories.directory(running)
    binds(monkeypatch, error)

    assert refusal(name) is expected


def test_a_search_that_is_not_answered_is_no_unknown_name(
    server: Slapd, directory: Directory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does the log say what was typed: in the place of a name people type passwords."""
    monkeypatch.setattr(SimpleLDAPObject, "search_ext", lambda *_given, **_more: (_ for _ in ()).throw(ldap.TIMEOUT()))

    with caplog.at_level(logging.DEBUG):
        assert refusal("hunter2") is DirectoryUnavailable
    assert "could not be asked" in caplog.text
    assert "hunter2" not in caplog.text
