"""A person as a directory has them: which attributes are read, and what becomes of them here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from users.directory_models import LONGEST_VALUE
from users.models import AccountSource, Directory, User
from users.services import account_mapping
from users.services.account_mapping import Mapped, Rule
from users.services.accounts import State
from users.services.directory import client, filters, primary_group, schema
from users.services.directory.client import Entry
from users.services.directory.schema import Schema

MOST_VALUES: Final = 50  # of one attribute
LONGEST_NAME: Final = 150
DN: Final = "dn"
NOBODY: Final = User()
SAM: Final = "samaccountname"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    external_id: str
    dn: str
    dn_key: str
    user_id: str
    first_name: str
    last_name: str
    display_name: str
    email: str
    upn: str
    mapped: Mapped  # the Managed Apple Account
    attributes: dict[str, list[str]]
    values: tuple[tuple[str, str], ...]  # what is searched for
    digest: str

    @property
    def account(self) -> str:
        """The Managed Apple Account; empty where none can be made."""
        return self.mapped.text if self.mapped.state == State.FINE else ""

    @property
    def account_problem(self) -> str:
        return "" if self.mapped.state == State.MISSING else self.mapped.problem


def attribute_names(directory: Directory) -> list[str]:
    """All that a sync reads of a person, each once."""
    names = schema.of(directory)
    wanted = [names.user_id, names.external_id, names.first_name, names.last_name, names.display_name, names.email]
    wanted += [names.upn, names.sam, directory.account_attribute, *directory.searched_attributes]
    return list({name.lower(): name for name in wanted if name}.values())


def asked_of_one(directory: Directory) -> list[str]:
    """What is read of somebody whose groups are looked for as well."""
    apart = primary_group.ATTRIBUTES if primary_group.is_kept_apart(directory) else ()
    return [*attribute_names(directory), *apart]


class Reader:
    """Reads entries of one directory, whose names it looks up once."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.names: Schema = schema.of(directory)
        self.wanted = attribute_names(directory)
        self.rule = Rule.of(directory)

    def person(self, entry: Entry) -> Person:
        names = self.names
        read = {name: entry.texts(name)[:MOST_VALUES] for name in self.wanted if name.lower() != client.GUID}
        attributes = {name: texts for name, texts in read.items() if texts}
        mapped = account_mapping.read(self.rule, attributes, self._named(entry))
        facts = (
            entry.dn,
            *(entry.text(name)[:LONGEST_NAME] for name in (names.user_id, names.first_name, names.last_name)),
            entry.text(names.display_name)[: 2 * LONGEST_NAME],
            entry.text(names.email)[:320],
            entry.text(names.upn)[:320],
        )
        values = self._values(entry, attributes)
        known = json.dumps([facts, attributes, values, mapped.text, mapped.state], sort_keys=True)
        _dn, user_id, first_name, last_name, display_name, email, upn = facts
        return Person(
            external_id=entry.external_id(names.external_id),
            dn=entry.dn,
            dn_key=dn_key(entry.dn),
            user_id=user_id,
            first_name=first_name,
            last_name=last_name,
            display_name=display_name,
            email=email,
            upn=upn,
            mapped=mapped,
            attributes=attributes,
            values=values,
            digest=blake2b(known.encode(), digest_size=16).hexdigest(),
        )

    def _named(self, entry: Entry) -> User:
        """What patterns are filled with."""
        if self.rule.source != AccountSource.PATTERN:
            return NOBODY
        names = self.names
        return User(
            user_id=entry.text(names.user_id),
            first_name=entry.text(names.first_name),
            last_name=entry.text(names.last_name),
            email=entry.text(names.email),
        )

    def _values(self, entry: Entry, attributes: dict[str, list[str]]) -> tuple[tuple[str, str], ...]:
        found = [(DN, entry.dn)]
        found += [(SAM, text) for text in entry.texts(self.names.sam)] if self.names.sam else []
        searched = {name.lower() for name in self.directory.searched_attributes} - {SAM, DN}
        for name, texts in attributes.items():
            if name.lower() in searched:
                found += [(name.lower()[:64], text) for text in texts]
        return tuple((name, text[:LONGEST_VALUE]) for name, text in found)


def dn_key(dn: str) -> str:
    return blake2b(client.same_dn(dn).encode(), digest_size=16).hexdigest()


def people_filter(directory: Directory) -> str:
    return schema.of(directory).user_filter


def by_ids(directory: Directory, ids: Sequence[str]) -> str:
    """A filter for the people with these identifiers."""
    attribute = schema.of(directory).external_id
    each = [filters.equals(attribute, client.id_value(attribute, one)) for one in ids]
    return filters.all_of(people_filter(directory), filters.any_of(*each))
