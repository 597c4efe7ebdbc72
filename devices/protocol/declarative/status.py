"""Status reports: hostile JSON in, values by path out, and how a report changes what was known.

https://developer.apple.com/documentation/devicemanagement/statusreport
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, NoReturn, Self, TypeVar

from devices.protocol.declarations.reach import DeclarationKind
from devices.protocol.status_items import DECLARATIONS, STATUS_ITEMS
from epmm.wire.errors import WireError, edge
from epmm.wire.plist import to_json

MAX_BYTES: Final = 4 << 20  # ten thousand managed applications; as much as is kept of one channel
MOST_VALUES: Final = 200_000  # four megabytes of brackets would take seconds, and a hundred times their size
MOST_ITEMS: Final = 2000  # paths of one channel; Apple has about fifty
MOST_ENTRIES: Final = 10_000  # of one list
MOST_STATES: Final = 2000
LONGEST_PATH: Final = 255  # Apple's longest has 55; each item repeats all the names that it stands below
NAME: Final = 64
REMOVED: Final = "_removed"
_KINDS: Final = {
    "activations": DeclarationKind.ACTIVATION,
    "configurations": DeclarationKind.CONFIGURATION,
    "assets": DeclarationKind.ASSET,
    "management": DeclarationKind.MANAGEMENT,
}

T = TypeVar("T")


class StateKey(NamedTuple):
    """A declaration may be reported twice at once, in its old and in its new version."""

    kind: str
    identifier: str
    server_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    active: bool
    valid: str
    reasons: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    items: dict[str, Any] = field(repr=False)  # by path, without management.declarations
    errors: dict[str, Any] = field(repr=False)  # the reasons, by status item
    states: dict[StateKey, State] = field(repr=False)
    removed: frozenset[StateKey] = frozenset()  # mostly without a token: Apple's devices name the identifier alone
    tells_states: bool = False
    full: bool = False

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Keys that no schema lists are welcome; what is no report raises WireError."""
        source = _load(raw)
        items = _optional(source, "StatusItems", dict) or {}
        declarations = items.get("management", {})
        declarations = declarations.get("declarations") if isinstance(declarations, dict) else None
        told = _few(_states(declarations), MOST_STATES) if isinstance(declarations, dict) else []
        flat = _few(_flat(items), MOST_ITEMS)
        return cls(
            items={path: value for path, value in flat if path != DECLARATIONS and not _is_below(path)},
            errors=dict(_few(_errors(_optional(source, "Errors", list) or []), MOST_ITEMS)),
            states={key: state for key, state in told if state is not None},
            removed=frozenset(key for key, state in told if state is None),
            tells_states=isinstance(declarations, dict),
            full=_optional(source, "FullReport", bool) is True,
        )

    def removes(self, key: StateKey) -> bool:
        """An element with `_removed` has only its identifier, and then means every version."""
        return key in self.removed or key._replace(server_token="") in self.removed


def merge(known: Mapping[str, Any], report: StatusReport) -> dict[str, Any]:
    """The items as they are now.  Lists whose entries have an identifier are told in part: only what changed."""
    if report.full:
        return {path: _without_removed(value) for path, value in report.items.items()}
    merged = dict(known)
    for path, value in report.items.items():
        merged[path] = _merge_list(known.get(path), value) if isinstance(value, list) else value
    if len(merged) > MOST_ITEMS:  # a device that invents names: what it says now counts
        return {path: _without_removed(value) for path, value in report.items.items()}
    return merged


def merge_errors(known: Mapping[str, Any], report: StatusReport) -> dict[str, Any]:
    """An item that could be told is in order again."""
    before = {} if report.full else {path: reasons for path, reasons in known.items() if path not in report.items}
    merged = {**before, **report.errors}
    return merged if len(merged) <= MOST_ITEMS else dict(report.errors)


# --- Lists ------------------------------------------------------------------------------------------------------------


def _merge_list(known: Any, told: list[Any]) -> list[Any]:
    if not all(is_identified(entry) for entry in told):
        return told
    if not isinstance(known, list) or not all(is_identified(entry) for entry in known):
        return _left(told)
    by_identifier = {entry["identifier"]: entry for entry in known}
    for entry in told:
        by_identifier.pop(entry["identifier"], None)
        if entry.get(REMOVED) is not True:
            by_identifier[entry["identifier"]] = entry
    return list(by_identifier.values())[-MOST_ENTRIES:]


def _without_removed(value: Any) -> Any:
    return _left(value) if isinstance(value, list) else value


def _left(told: list[Any]) -> list[Any]:
    return [entry for entry in told if not (is_identified(entry) and entry.get(REMOVED) is True)][:MOST_ENTRIES]


def is_identified(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("identifier"), str)


# --- Reading ----------------------------------------------------------------------------------------------------------


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise WireError("status report: too large")
    if sum(map(raw.count, (b",", b"[", b"{"))) > MOST_VALUES:  # those within texts count, too: nobody sends so many
        raise WireError("status report: too many values")
    with edge(WireError, "status report: not JSON"):
        text = raw.decode("utf-8-sig")  # `json` would guess the encoding
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    value = to_json(value)  # no lone surrogates, no NUL, no number that a database refuses, nothing deep
    if not isinstance(value, dict):
        raise WireError("status report: not an object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal keys counts, so there may not be two."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("status report: a key stands twice")
    return found


def _no_number(_: str) -> NoReturn:
    raise WireError("status report: not a number")


def _optional(source: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    value = source.get(key)
    if value is not None and not isinstance(value, kind):
        raise WireError(f"{key}: expected {kind.__name__}")
    return value


def _few(found: Iterable[T], most: int) -> list[T]:
    """All of them; whoever sends more is told so before the rest is looked at."""
    taken = list(islice(found, most + 1))
    if len(taken) > most:
        raise WireError("status report: too many")
    return taken


def _flat(source: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names become nested objects on the wire.  An object that is a value ends the path."""
    for key, value in source.items():
        path = f"{prefix}{key}"
        if len(path) > LONGEST_PATH:
            raise WireError("StatusItems: a name is too long")
        if isinstance(value, dict) and value and path not in STATUS_ITEMS:
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def _is_below(path: str) -> bool:
    return path.startswith(f"{DECLARATIONS}.")


def _errors(source: list[Any]) -> Iterator[tuple[str, Any]]:
    for error in source:
        path = error.get("StatusItem") if isinstance(error, dict) else None
        if isinstance(path, str) and len(path) <= LONGEST_PATH:
            yield path, error.get("Reasons") or []


def _states(source: Mapping[str, Any]) -> Iterator[tuple[StateKey, State | None]]:
    """None for a declaration that is said to be gone."""
    for name, kind in _KINDS.items():
        listed = source.get(name)
        for entry in listed if isinstance(listed, list) else []:
            if not is_identified(entry) or len(entry["identifier"]) > NAME:
                continue
            token = entry.get("server-token")
            key = StateKey(kind.value, entry["identifier"], token if isinstance(token, str) else "")
            if len(key.server_token) > NAME:
                continue
            yield key, None if entry.get(REMOVED) is True else _state(entry)


def _state(entry: Mapping[str, Any]) -> State:
    valid, reasons = entry.get("valid"), entry.get("reasons")
    return State(
        active=entry.get("active") is True,
        valid=valid if valid in {"valid", "invalid"} else "unknown",
        reasons=reasons if isinstance(reasons, list) else [],
    )
