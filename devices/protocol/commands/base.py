"""What every command has.  A command is one class; declaring it is all there is to adding it.

https://developer.apple.com/documentation/devicemanagement/commands_and_queries
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar, dataclass_transform, get_type_hints
from uuid import UUID

from devices.protocol.commands.keys import Key, Mistake, check
from devices.protocol.reading import Reader, Reading
from devices.protocol.support import Facts
from devices.protocol.target import Kind, Target
from epmm.wire import plist
from epmm.wire.errors import WireError

C = TypeVar("C", bound="Command")
URGENT: Final = -1  # what protects a device that is lost goes before all that waits


class Request(Protocol):
    """The `Command` dictionary of one command."""

    @property
    def request_type(self) -> str: ...

    @property
    def payload(self) -> Mapping[str, Any]:
        """Its keys besides RequestType."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyRequest:
    """A command by its name, with whatever keys somebody wrote down."""

    request_type: str
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may hold a PIN or a password


class Command:
    """The base of the commands.  Each field is annotated with the key that it stands for."""

    request_type: ClassVar[str]  # the name of the class
    facts: ClassVar[Facts]
    reads: ClassVar[Reader | None] = None  # what its result tells
    is_personal: ClassVar[bool] = False  # says something else to each device, so it goes to one at a time
    answers_with_secret: ClassVar[bool] = (
        False  # what comes back opens the device: sealed, and never archived as it came
    )
    priority: ClassVar[int] = 0  # lower goes first; those alike go in the order in which they were queued
    keys: ClassVar[tuple[Key, ...]]  # made from the fields
    _attributes: ClassVar[tuple[str, ...]]

    @classmethod
    def for_target(cls, target: Target) -> Self | None:
        """What EPMM itself would ask there, for whoever writes no payload down; None: nothing in particular."""
        del target
        return None

    @classmethod
    def parse(cls, payload: Mapping[str, Any], target: Target) -> Self:
        """A written-down payload; `Mistake` says what is wrong with it there."""
        check(cls.request_type, cls.keys, payload, target)
        given = ((attribute, payload[key.name]) for attribute, key in cls._pairs() if key.name in payload)
        made = cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given})
        if sentence := made.objection(target):
            raise Mistake(sentence)
        return made

    def objection(self, target: Target) -> str | None:
        """What the keys mean together, and no table says."""
        del target
        return None

    def objection_as_written(self, target: Target) -> str | None:
        """What can be wrong only with what somebody wrote down: EPMM's own needs no such look at each device."""
        del target
        return None

    def is_partial(self, target: Target) -> bool:
        """Whether it asks for less than EPMM itself would there: then its answer is no whole inventory of anything."""
        del target
        return False

    @property
    def payload(self) -> dict[str, Any]:
        """The keys that were given: an optional key that is left out stays out."""
        default = {item.name: item.default for item in fields(self)}  # type: ignore[arg-type] # each is a dataclass
        given = ((name, key.name, getattr(self, name)) for name, key in self._pairs())
        return {
            key: list(value) if isinstance(value, tuple) else value
            for name, key, value in given
            if value != default[name]
        }

    @classmethod
    def read(cls, answer: Mapping[str, Any], kind: Kind) -> Reading | None:
        """What its result says; None for a command whose result says only that it was done."""
        return cls.reads.read(answer, kind) if cls.reads is not None else None

    def __repr__(self) -> str:
        """What a log may show: no password, and no file that may hold one."""
        shown = (f"{name}={getattr(self, name)!r}" for name, key in self._pairs() if not key.secret)
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def _pairs(cls) -> list[tuple[str, Key]]:
        return list(zip(cls._attributes, cls.keys, strict=True))


REGISTRY: Final[dict[str, type[Command]]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def command(cls: type[C]) -> type[C]:
    """A frozen dataclass of keywords, known by its name; `keys` are what its fields are annotated with."""
    made = dataclass(frozen=True, kw_only=True, repr=False)(cls)
    made.request_type = made.__name__
    hints = get_type_hints(made, include_extras=True)
    items = fields(made)  # type: ignore[arg-type] # it is a dataclass now
    made._attributes = tuple(item.name for item in items)  # noqa: SLF001 - made here
    made.keys = tuple(
        replace(hints[item.name].__metadata__[0], needed=item.default is MISSING and item.default_factory is MISSING)
        for item in items
    )
    REGISTRY[made.request_type] = made
    return made


def priority_of(request_type: str) -> int:
    known = REGISTRY.get(request_type)
    return known.priority if known else Command.priority


def render(request: Request, command_uuid: UUID) -> bytes:
    """What the device gets.  Apple's examples write the UUID in capitals; it comes back as it was sent."""
    command = {"RequestType": request.request_type, **request.payload}
    try:
        return plist.dump({"CommandUUID": str(command_uuid).upper(), "Command": command})
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError("payload has no form as a property list") from error
