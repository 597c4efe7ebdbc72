"""Sign-in by bind.  Whoever has not been synced yet is added when their password was right, never before."""

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from users.errors import DirectoryError, DirectoryUnavailable
from users.models import Directory, DirectoryEntry, User
from users.services import people
from users.services.directory import client, entries, filters, groups, schema, store, sync
from users.services.directory.backend import Backend, Question
from users.services.directory.client import Connection, Entry
from users.services.directory.entries import Reader
from users.services.directory.store import Report

logger = logging.getLogger(__name__)
_NOBODY: Final = 2  # enough to see that a name is not one person's


def proven(user: User, password: str, typed: str) -> User | None:
    """Whose password this is, says a directory.  `user` is who is known by the typed name; stands for nobody unsaved.

    Known or not, of a directory or not: all enabled directories are asked the same questions.  Only what is right ends
    it early.  Raises DirectoryUnavailable when nobody was proven and one of them could not be asked.
    """
    known = DirectoryEntry.objects.filter(user=user.pk or 0, directory__isnull=False).first()
    own_first = sorted(client.enabled(), key=lambda each: known is None or each.pk != known.directory_id)
    return _first(own_first, lambda directory: _ask(directory, user, known, password, typed))


def taken_in(name: str) -> User | None:
    """Whoever is called so in a directory, as the next sync would have them.

    Raises DirectoryUnavailable when nobody was found and one of them could not be asked.
    """
    return _first(client.enabled(), lambda directory: read(directory, name))


def _first(directories: Iterable[Directory], ask: Callable[[Directory], User | None]) -> User | None:
    is_away = False
    for directory in directories:
        try:
            found = ask(directory)
        except DirectoryError as error:
            logger.warning("a directory could not be asked", extra={"directory": directory.pk, "reason": str(error)})
            sync.ask_what_is_wrong(directory)
            is_away = True
            continue
        if found is not None:
            return found
    if is_away:
        raise DirectoryUnavailable
    return None


def read(directory: Directory, name: str) -> User | None:
    """Somebody of whom a provider says who they are, as the next sync would have them.  Raises DirectoryError."""
    with client.connected(directory) as connection:
        found = look_up(connection, name)
        return brought_up_to_date(connection, found[0]) if len(found) == 1 else None


def look_up(connection: Connection, typed: str) -> list[Entry]:
    """Who is called so."""
    directory = connection.directory
    wanted = entries.asked_of_one(directory)
    return connection.some(directory.user_base, directory.user_scope, _called(directory, typed), wanted, _NOBODY)


def _called(directory: Directory, typed: str, known: DirectoryEntry | None = None) -> str:
    """Who is called so, or is the one we know; the question has one shape for all."""
    names, name = schema.of(directory), typed.strip()
    before_at = people.without_own_domain(name, people.own_domains(directory.domain))
    external_id = known.external_id if known is not None else _nobodys_id()
    is_theirs = filters.any_of(
        filters.equals(names.user_id, before_at),
        *(filters.equals(each, name) for each in (names.email, names.upn) if each),
        filters.equals(names.external_id, client.id_value(names.external_id, external_id)),
    )
    return filters.all_of(entries.people_filter(directory), is_theirs)


def _nobodys_id() -> str:
    digits = secrets.token_hex(16)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _ask(directory: Directory, user: User, known: DirectoryEntry | None, password: str, typed: str) -> User | None:
    asked = Question(
        directory,
        _called(directory, typed, known),
        entries.asked_of_one(directory),
        lambda found: _meant(directory, user, known, found),
    )
    nobody = f"cn={secrets.token_hex(8)},{directory.user_base}"
    return client.first_answer(
        directory,
        lambda url: Backend(directory, url, asked, brought_up_to_date).proven(typed, password, nobody),
    )


def _meant(directory: Directory, user: User, known: DirectoryEntry | None, found: list[Entry]) -> Entry | None:
    """A name that is somebody's here is theirs, whoever is called so in a directory."""
    attribute = schema.of(directory).external_id
    if known is not None:
        is_theirs = known.directory_id == directory.pk
        return next((each for each in found if is_theirs and each.external_id(attribute) == known.external_id), None)
    return found[0] if not user.pk and len(found) == 1 else None


def brought_up_to_date(connection: Connection, entry: Entry) -> User | None:
    """As the next sync would have it; None for somebody who cannot be stored."""
    directory, report = connection.directory, Report()
    person = Reader(directory).person(entry)
    store.store(directory, [person], report)
    stored = DirectoryEntry.objects.select_related("user").filter(directory=directory, external_id=person.external_id)
    row = stored.first()
    if row is None:
        logger.warning("a person of a directory could not be added", extra={"directory": directory.pk})
        return None
    groups.follow(connection, row.user, entry)
    return row.user
