"""Asking a directory: whom we trust, whom we ask next, and what is never sent."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket
from threading import Thread
from typing import Any

import pytest

from epmm import dev_tls
from tests import directories
from tests.directories import PEOPLE, Slapd
from tests.ports import free_port
from users.errors import DirectoryDown, DirectoryError, DirectoryRefused
from users.models import Directory
from users.services.directory import client

pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db]


def found(directory: Directory) -> list[str]:
    with client.connected(directory) as connection:
        return [each.dn for page in connection.pages(PEOPLE, "sub", "(uid=*)", ["uid"]) for each in page]


def test_people_are_read_over_tls_with_a_verified_certificate(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")

    assert found(directory) == [anna]


def test_start_tls_protects_the_plain_port(server: Slapd, directory: Directory) -> None:
    directory.url, directory.starts_tls = server.plain_url, True

    assert found(directory) == []


def test_a_certificate_of_another_authority_is_refused(directory: Directory, tmp_path: Path) -> None:
    other = Slapd(folder=tmp_path / "other")
    directory.certificates = other.ca

    with pytest.raises(DirectoryDown, match="from no authority that is trusted"):
        found(directory)


def test_start_tls_holds_the_certificate_against_what_is_trusted(
    server: Slapd, directory: Directory, tmp_path: Path
) -> None:
    directory.url, directory.starts_tls = server.plain_url, True
    directory.certificates = Slapd(folder=tmp_path / "other").ca

    with pytest.raises(DirectoryDown, match="from no authority that is trusted"):
        found(directory)


def test_a_certificate_for_another_name_is_refused(server: Slapd, directory: Directory) -> None:
    directory.url = server.misnamed_url

    with pytest.raises(DirectoryDown, match="for another name"):
        found(directory)


class Old(Slapd):
    """Nobody has renewed its certificate."""

    def _tls(self) -> dev_tls.ServerFiles:
        return dev_tls.ensure(self.folder / "tls", host="127.0.0.1", now=directories.LONG_AGO)


def test_a_certificate_that_is_over_is_said_to_be(tmp_path: Path) -> None:
    server = Old(folder=tmp_path / "old")
    server.make()
    try:
        server.start()
        with pytest.raises(DirectoryDown, match="not accepted: certificate has expired"):
            found(directories.directory(server))
    finally:
        server.stop()


def test_plain_ldap_is_refused_before_anything_is_sent(server: Slapd, directory: Directory) -> None:
    directory.url = server.plain_url
    with pytest.raises(DirectoryRefused, match="Plain LDAP is not allowed"):
        found(directory)

    directory.allows_plain = True
    assert found(directory) == []


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "ldapi:///run/slapd", "cldap://127.0.0.1"])
def test_only_ldap_is_spoken(directory: Directory, url: str) -> None:
    directory.url = url

    with pytest.raises(DirectoryRefused):
        found(directory)


@pytest.mark.parametrize(("name", "password"), [("", b"secret"), (directories.READER, b""), (directories.READER, None)])
def test_nobody_asks_anonymously(directory: Directory, name: str, password: bytes | None) -> None:
    directory.bind_name, directory.bind_password = name, password

    with pytest.raises(DirectoryRefused, match="Enter the user ID"):
        found(directory)


def test_a_wrong_password_of_ours_is_said_and_not_shown(directory: Directory, caplog: pytest.LogCaptureFixture) -> None:
    directory.bind_password = b"hunter2hunter2"
    with caplog.at_level(logging.DEBUG), pytest.raises(DirectoryRefused, match="refused the user ID") as refused:
        found(directory)

    assert "hunter2" not in str(refused.value) + caplog.text


def test_the_other_server_answers_while_one_is_down(server: Slapd, directory: Directory) -> None:
    directory.url, directory.failover_url = f"ldaps://127.0.0.1:{free_port()}", server.url
    assert found(directory) == []

    assert client.servers(directory) == [directory.failover_url, directory.url], "nobody waits for it again and again"


def test_one_waits_for_a_server_that_was_away_and_others_ask_the_next(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.failover_url = "ldaps://127.0.0.2"
    asked: list[list[str]] = []

    def ask(url: str) -> str:
        if url == directory.url:
            asked.append(client.servers(directory))  # what somebody else would be told now
            raise DirectoryDown
        return url

    assert client.first_answer(directory, ask) == directory.failover_url
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + client.AVOIDED_SECONDS)
    assert client.first_answer(directory, ask) == directory.failover_url

    here, there = directory.url, directory.failover_url
    assert asked == [[here, there], [there, here]]


def test_while_both_are_down_nobody_waits_for_them_anew(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.url, directory.failover_url = (f"ldaps://127.0.0.1:{free_port()}" for _ in range(2))
    with pytest.raises(DirectoryDown, match="Can't contact LDAP server"):
        found(directory)
    monkeypatch.setattr(client, "open_server", None)  # would be called

    with pytest.raises(DirectoryDown, match="did not answer a moment ago"):
        found(directory)


@contextmanager
def mute(*, after: bytes = b"") -> Iterator[int]:
    """The port of a server that takes connections and says this one thing, or nothing."""
    with create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    taken.append(server.accept()[0])
                    if after:
                        taken[-1].recv(1024)
                        taken[-1].sendall(after)

        taken: list[socket] = []
        Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(SHUT_RDWR)
    for each in taken:
        each.close()


@pytest.mark.parametrize("chases", [{}, {"chases_referrals": True}], ids=["unless chosen", "chosen"])
def test_the_servers_that_one_refers_to_are_asked_only_where_that_is_chosen(
    server: Slapd, chases: dict[str, Any]
) -> None:
    asked = []
    with create_server(("127.0.0.1", 0)) as other:

        def turn_away() -> None:
            with suppress(OSError), other.accept()[0]:
                asked.append(True)

        Thread(target=turn_away, daemon=True).start()
        there = f"ldap://127.0.0.1:{other.getsockname()[1]}/{PEOPLE}"
        server.add(f"ou=east,{PEOPLE}", objectClass=["referral", "extensibleObject"], ou="east", ref=there)
        with suppress(DirectoryError):
            found(directories.directory(server, **chases))
        other.shutdown(SHUT_RDWR)

    assert len(asked) == len(chases)


AGREED = bytes.fromhex("300c02010178070a010004000400")  # to StartTLS: success
WAY_TOO_LONG = 60.0


@pytest.mark.parametrize(
    ("scheme", "says", "seconds"),  # None: StartTLS is not asked for
    [
        ("ldap", None, 3.0),
        ("ldaps", None, WAY_TOO_LONG),
        ("ldap", b"", WAY_TOO_LONG),
        ("ldap", AGREED, WAY_TOO_LONG),
    ],
    ids=["plain", "tls", "no answer to StartTLS", "StartTLS and no TLS"],
)
def test_nobody_waits_for_a_server_that_takes_the_connection_and_says_nothing(
    server: Slapd, scheme: str, says: bytes | None, seconds: float
) -> None:
    """No longer than for a connection; the other one is asked then.  In a thread, for whoever waited would wait for
    ever."""
    answered: list[str] = []
    with mute(after=says or b"") as port:
        directory = directories.directory(server)
        directory.url, directory.failover_url = f"{scheme}://127.0.0.1:{port}", server.url
        directory.starts_tls, directory.allows_plain = says is not None, says is None
        directory.connect_seconds, directory.search_seconds = 3.0, seconds

        def ask() -> None:
            with client.connected(directory) as connection:
                answered.append(connection.url)

        asking = Thread(target=ask, daemon=True)
        asking.start()
        asking.join(WAY_TOO_LONG / 2)

    assert answered == [server.url]


def test_more_than_a_page_is_read_page_by_page(server: Slapd, directory: Directory) -> None:
    for name in ("anna", "berta", "carl"):
        server.add_person(name)
    with client.connected(directory) as connection:
        pages = list(connection.pages(PEOPLE, "sub", "(uid=*)", ["uid"], size=2))

    assert [len(page) for page in pages] == [2, 1]


def test_a_server_that_gives_a_part_of_them_is_no_server_that_gave_all(tmp_path: Path, db: None) -> None:
    with directories.running(tmp_path / "small", ldif=directories.people_ldif(5), size_limit="3") as server:
        directory = directories.directory(server)

        with pytest.raises(DirectoryRefused, match="Size limit exceeded"):
            found(directory)


def test_names_of_the_same_entry_are_one() -> None:
    assert client.same_dn("UID=Anna , OU=people,dc=Example") == client.same_dn("uid=anna,ou=People,dc=example")
    assert client.same_dn("uid=anna,dc=example") != client.same_dn("uid=anna,ou=x,dc=example")
