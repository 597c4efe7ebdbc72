"""The primary group of somebody in Active Directory, which `memberOf` and `member` leave out.

A person's `primaryGroupID` is the last number in the SID of a group of the same domain (MS-ADTS 3.1.1.4.5.11, MS-DTYP
2.4.2.2); in another domain the same number is another group's.
"""

from collections.abc import Sequence
from typing import Final

from users.models import Directory
from users.services.directory import filters
from users.services.directory.client import Connection, Entry

SID: Final = "objectSid"
NUMBER: Final = "primaryGroupID"
NUMBER_BYTES: Final = 4
ATTRIBUTES: Final = (SID, NUMBER)


def is_kept_apart(directory: Directory) -> bool:
    return directory.kind == Directory.Kind.ACTIVE_DIRECTORY


def sid(entry: Entry | None) -> bytes:
    return bytes(next(iter(entry.values.get(SID.lower(), ())), b"")) if entry else b""


def sid_of_primary(person: Entry | None) -> bytes:
    """Of the group; empty where the server does not say."""
    own, number = sid(person), person.text(NUMBER) if person else ""
    if len(own) <= NUMBER_BYTES or not number.isdecimal() or int(number) >= 2**32:
        return b""
    return own[:-NUMBER_BYTES] + int(number).to_bytes(NUMBER_BYTES, "little")


def number(group_sid: bytes) -> str:
    return str(int.from_bytes(group_sid[-NUMBER_BYTES:], "little"))


def of(connection: Connection, person: Entry, group_filter: str, wanted: Sequence[str]) -> Entry | None:
    """The primary group of somebody who was read with `ATTRIBUTES`."""
    directory = connection.directory
    if not is_kept_apart(directory) or not (group := sid_of_primary(person)):
        return None
    asked = filters.all_of(group_filter, filters.equals(SID, group))
    return next(iter(connection.some(directory.group_base, directory.group_scope, asked, wanted, 1)), None)
