"""Who and what the directories have under a name just now, whether or not it is used here."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from users.errors import DirectoryError
from users.services.directory import client, entries, filters, groups, schema
from users.services.directory.client import Connection
from users.services.directory.entries import Reader

SECONDS: Final = 5  # to connect, and to search: somebody waits for it
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    directory_id: int
    external_id: str
    dn: str
    name: str
    principal: str
    email: str = ""


def everywhere(text: str, kind: str) -> list[Named] | None:
    """The first of each directory: groups or units of this kind, or people where it is empty.

    None where there is no directory, or one is away: what the sync has kept is all there is to tell then.
    """
    directories = list(client.enabled())
    found: list[Named] = []
    for directory in directories:
        directory.connect_seconds = min(directory.connect_seconds, SECONDS)
        directory.search_seconds = min(directory.search_seconds, SECONDS)
        try:
            with client.connected(directory) as connection:
                found += _groups(connection, text, kind) if kind else _people(connection, text)
        except DirectoryError as error:
            logger.warning("a directory could not be asked", extra={"directory": directory.pk, "reason": str(error)})
            return None
    return sorted(found, key=lambda each: (each.principal.casefold(), each.dn)) if directories else None


def _people(connection: Connection, text: str) -> Iterator[Named]:
    """By how a name begins, which is what directories have indexes for."""
    directory, names = connection.directory, schema.of(connection.directory)
    attributes = (names.user_id, names.first_name, names.last_name, names.display_name, names.email)
    begins = (filters.begins(each, text) for each in dict.fromkeys(attributes) if each)
    asked = filters.all_of(entries.people_filter(directory), filters.any_of(*begins))
    wanted, reader = entries.attribute_names(directory), Reader(directory)
    for entry in connection.some(directory.user_base, directory.user_scope, asked, wanted, groups.MOST_OFFERED):
        person = reader.person(entry)
        yield Named(
            directory_id=directory.pk,
            external_id=person.external_id,
            dn=entry.dn,
            name=person.display_name or f"{person.first_name} {person.last_name}".strip() or person.user_id,
            principal=person.user_id,
            email=person.email,
        )


def _groups(connection: Connection, text: str, kind: str) -> Iterator[Named]:
    directory = connection.directory
    identifier = schema.of(directory).external_id
    for entry in groups.offered(connection, text, kind):
        name = groups.name_of(directory, entry, kind)
        yield Named(
            directory_id=directory.pk, external_id=entry.external_id(identifier), dn=entry.dn, name=name, principal=name
        )
