"""The lists of status reports that the tables of what is on a device hold, too.

Apple's schema: declarative/status/mdm.app.yaml, app.managed.list.yaml and security.certificate.list.yaml.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Self, TypeAlias

from devices.protocol.declarative.status import MOST_ENTRIES, REMOVED, StatusReport, is_identified
from devices.protocol.installed import NAME, Certificate
from devices.protocol.reading import taken_text

Entries: TypeAlias = Mapping[str, Mapping[str, Any]]  # by identifier

LONGEST_NUMBER: Final = 18  # digits that a database takes


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Empty is what the entry does not tell."""

    identifier: str
    state: str  # as answers to ManagedApplicationList spell it
    rejection: str
    name: str
    version: str
    short_version: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNews:
    """What a report says of one list."""

    put: Entries = field(repr=False)
    gone: frozenset[str]  # identifiers
    is_whole: bool  # what it does not name is gone as well

    @classmethod
    def of(cls, report: StatusReport, path: str, before: object) -> Self | None:
        """`before`: the list as it was known.  A full report that leaves it out says that it is empty."""
        value = report.items.get(path)
        if value is None and before and report.full and path not in report.errors:
            value = []
        if not isinstance(value, list):
            return None
        told = by_identifier(value)
        put = {identifier: entry for identifier, entry in told.items() if entry.get(REMOVED) is not True}
        return cls(put=put, gone=frozenset(told.keys() - put.keys()), is_whole=report.full)

    def after(self, before: Entries) -> Entries:
        if self.is_whole:
            return self.put
        return {name: entry for name, entry in before.items() if name not in self.gone} | dict(self.put)


def by_identifier(value: object) -> Entries:
    entries = value if isinstance(value, list) else []
    return {entry["identifier"]: entry for entry in islice(entries, MOST_ENTRIES) if is_identified(entry)}


def read_app(entry: Mapping[str, Any]) -> App | None:
    item = {key: value for key, value in entry.items() if key != REMOVED}
    if not (identifier := taken_text(item, "identifier", NAME)):
        return None
    version_id = str(item.get("external-version-id", ""))  # text in one of the lists, a number in the other
    if version_id.isascii() and version_id.isdecimal() and len(version_id) <= LONGEST_NUMBER:
        del item["external-version-id"]
        item["ExternalVersionIdentifier"] = int(version_id)
    return App(
        identifier=identifier,
        state=_spelled(taken_text(item, "state", 64)),
        rejection=_rejection(item.get("reasons")),
        name=taken_text(item, "name", NAME),
        version=taken_text(item, "version", 64),
        short_version=taken_text(item, "short-version", 64),
        details=item,
    )


def read_certificates(entries: Iterable[Mapping[str, Any]]) -> list[Certificate]:
    return [
        Certificate(
            common_name=taken_text(dict(entry), "subject-summary", NAME),
            is_identity=entry.get("is-identity") is True,
            sha256=hashlib.sha256(der).hexdigest(),
            der=der,
        )
        for entry in entries
        if (der := _data(entry.get("data")))
    ]


def _spelled(state: str) -> str:
    """`managed-but-uninstalled` is ManagedButUninstalled in an answer."""
    return "".join(f"{word[:1].upper()}{word[1:]}" for word in state.split("-"))


def _rejection(reasons: object) -> str:
    """The first error; all that is said of it stands in the details."""
    listed = reasons if isinstance(reasons, list) else []
    codes = (taken_text(dict(reason), "code", 64) for reason in listed if isinstance(reason, dict))
    return next((code for code in codes if code.startswith("Error.")), "")


def _data(value: object) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""
