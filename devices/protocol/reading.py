"""What the result of a command says, read into values that have a place.

Devices send keys that no schema lists and leave out others, so nothing here is an error: a value that does not fit is
passed over, and stands in `rest` with everything that has no place of its own yet.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from devices.protocol.target import Kind
from epmm.wire.errors import WireError
from epmm.wire.plist import required, to_json

Value: TypeAlias = str | int | float | bool

# Never in the record that people and searches read: credentials, a ciphertext, and a Mac's serial number again.
NEVER_KEPT: Final = frozenset(
    {
        "PushToken",
        "FDE_PersonalRecoveryKeyCMS",
        "FDE_PersonalRecoveryKeyDeviceKey",
        "ActivationLockBypassCode",
        "EncryptedNewRecoveryKey",
        "UnlockToken",
    }
)
MOST_ITEMS: Final = 10_000  # of one list; a Mac has some hundreds of applications


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    fields: dict[str, Value] = field(default_factory=dict)  # by the names of the record's columns
    rest: dict[str, Any] = field(default_factory=dict)  # as JSON, by Apple's names
    lists: dict[type[Any], list[Any]] = field(default_factory=dict)  # each the whole set of one kind of row
    news: list[Any] = field(default_factory=list)  # rows that take the place of those with their names
    gone: list[Any] = field(default_factory=list)  # what is no more
    secrets: dict[str, bytes] = field(
        default_factory=dict, repr=False
    )  # by Apple's names, for the sealed columns alone


@dataclass(frozen=True, slots=True)
class Reader:
    """The keys of the answer that it takes; the service keeps what stands beside them."""

    keys: tuple[str, ...]
    read: Callable[[Mapping[str, Any], Kind], Reading]


def kept(*keys: str) -> Reader:
    """For what people look at and no search needs: these keys as they came."""

    def read(answer: Mapping[str, Any], kind: Kind) -> Reading:
        del kind
        return Reading(rest=json_of({key: answer[key] for key in keys if key in answer}))

    return Reader(keys, read)


def json_of(values: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = to_json({key: value for key, value in values.items() if key not in NEVER_KEPT})
    return known


def dictionary_in(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def dictionaries_in(source: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """The dictionaries of a list, each ours to take apart."""
    value = source.get(key)
    items = islice(value, MOST_ITEMS) if isinstance(value, list) else ()
    return (dict(item) for item in items if isinstance(item, dict))


def named_in(source: Mapping[str, Any], key: str, name: str) -> Iterator[dict[str, Any]]:
    """The dictionaries of a dictionary, each with what it is filed under as its `name`."""
    return (
        {**item, name: label}
        for label, item in islice(dictionary_in(source, key).items(), MOST_ITEMS)
        if isinstance(item, dict)
    )


def taken_text(item: dict[str, Any], key: str, longest: int) -> str:
    """Text moved out of the item; what does not fit stays there."""
    try:
        text = required(item, key, str, longest=longest)
    except WireError:
        return ""
    del item[key]
    return text


def taken_flag(item: dict[str, Any], key: str) -> bool | None:
    return item.pop(key) if isinstance(item.get(key), bool) else None


def taken_number(item: dict[str, Any], key: str, among: range) -> int | None:
    value = item.get(key)
    return item.pop(key) if type(value) is int and value in among else None
