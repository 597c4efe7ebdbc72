"""What every typed payload has: keys with a reader each, and one way to tell what is wrong with them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Final, Self, TypeAlias

from devices.protocol.declarations.reach import Holder, too_old
from devices.protocol.sentence import sentence as _
from devices.protocol.sentence import with_nearest
from devices.protocol.support import NOT_SUPERVISED
from devices.protocol.target import Kind, Platform

Read: TypeAlias = Callable[[str, Any], Any]  # the key, for the sentence, and the value
LONGEST_TEXT: Final = 4096
VERSION: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}")
LOCAL_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_ALL: Final = frozenset(Platform)


class InvalidDeclaration(Exception):
    """The argument is a sentence for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a field of a payload is on the wire, and where it may go."""

    name: str
    read: Read
    required: bool
    platforms: frozenset[Platform]
    since: Mapping[Platform, str]  # where it came later than what it belongs to
    supervised: bool  # elsewhere than on a Mac, which a device enrollment supervises


def key(
    name: str,
    read: Read,
    *,
    required: bool = False,
    only: Platform | None = None,
    without: Platform | None = None,
    since: Mapping[Platform, str] | None = None,
    supervised: bool = False,
) -> Any:
    """A field of a payload by Apple's name of it."""
    platforms = frozenset({only}) if only else _ALL - {without}
    told = Key(name=name, read=read, required=required, platforms=platforms, since=since or {}, supervised=supervised)
    return field(metadata={"key": told}) if required else field(default=None, metadata={"key": told})


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A dictionary of known keys."""

    @classmethod
    def parse(cls, source: Any, where: str = "") -> Self:
        source = dictionary(where or "Payload", source)
        known = {of(item).name: item for item in fields(cls)}
        for name in sorted(source.keys() - known.keys()):
            raise InvalidDeclaration(with_nearest(_("There is no key {name}.", name=f"{where}{name}"), name, known))
        values = {
            item.name: of(item).read(f"{where}{name}", source[name]) for name, item in known.items() if name in source
        }
        for name, item in known.items():
            if of(item).required and name not in source:
                raise InvalidDeclaration(_("The key {name} is missing.", name=f"{where}{name}"))
        made = cls(**values)
        made.check()
        return made

    def check(self) -> None:
        """What one key says about another."""

    @property
    def payload(self) -> dict[str, Any]:
        told = {of(item).name: getattr(self, item.name) for item in fields(self)}
        return {name: _plain(value) for name, value in told.items() if value is not None}

    def why_not(self, holder: Holder, where: str = "") -> str | None:
        """A key that cannot work there, in a sentence."""
        for item in fields(self):
            value, told = getattr(self, item.name), of(item)
            if value is None:
                continue
            if holder.platform not in told.platforms:
                return _("{platform} does not know the key {name}.", platform=holder.platform, name=where + told.name)
            subject = _("The key {name}", name=where + told.name)
            if told.supervised and (holder.platform is not Platform.MACOS or holder.kind is Kind.AAUE):
                return _(NOT_SUPERVISED, subject=subject)
            if sentence := too_old(subject, told.since.get(holder.platform, ""), holder):
                return sentence
            if isinstance(value, Payload) and (sentence := value.why_not(holder, f"{where}{told.name}.")):
                return sentence
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedDeclaration(Payload):
    """The payload of one declaration type."""

    type: ClassVar[str]


def of(item: "Field[Any]") -> Key:
    found: Key = item.metadata["key"]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Payload):
        return value.payload
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


# --- Readers ----------------------------------------------------------------------------------------------------------


def dictionary(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value):
        raise InvalidDeclaration(_("{name} is a dictionary.", name=name))
    return value


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidDeclaration(_("{name} is true or false.", name=name))
    return value


def whole(lowest: int = 0, highest: int = (1 << 31) - 1) -> Read:
    def read(name: str, value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            told = _("{name} is a whole number from {low} to {high}.", name=name, low=lowest, high=highest)
            raise InvalidDeclaration(told)
        return value

    return read


def text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        raise InvalidDeclaration(_("{name} is text of 1 to {n} characters.", name=name, n=LONGEST_TEXT))
    return value


def one_of(*values: str) -> Read:
    def read(name: str, value: Any) -> str:
        if value not in values:
            raise InvalidDeclaration(_("{name} is one of {values}.", name=name, values=", ".join(values)))
        return str(value)

    return read


def version(name: str, value: Any) -> str:
    if not isinstance(value, str) or not VERSION.fullmatch(value):
        raise InvalidDeclaration(_("{name} is a version such as 18.2.", name=name))
    return value


def https(name: str, value: Any) -> str:
    if not text(name, value).startswith("https://"):
        raise InvalidDeclaration(_("{name} is an address that begins with https://.", name=name))
    return str(value)


def local_time(name: str, value: Any) -> str:
    """The wall clock of the device, wherever it is: a zone would be misread."""
    try:
        good = isinstance(value, str) and LOCAL_TIME.fullmatch(value) and datetime.fromisoformat(value)
    except ValueError:
        good = None
    if not good:
        raise InvalidDeclaration(_("{name} is a local time without a zone, such as 2026-12-01T20:00:00.", name=name))
    return str(value)


def list_of(read: Read) -> Read:
    def read_list(name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise InvalidDeclaration(_("{name} is a list.", name=name))
        return tuple(read(f"{name}[{number}]", item) for number, item in enumerate(value))

    return read_list


def part(kind: type[Payload]) -> Read:
    return lambda name, value: kind.parse(value, f"{name}.")


def anything(name: str, value: Any) -> Any:  # noqa: ARG001 - a reader
    return value
