"""What an administrator changes at run time: typed settings kept as rows.

A setting without a row has its default.  Reading costs one query a second and process, however many are read.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from epmm import audit
from epmm.models import SettingRow
from epmm.texts import is_xml

T = TypeVar("T")
CACHE_SECONDS: Final = 1.0
LONGEST_NUMBER: Final = 9


class InvalidSetting(ValueError):
    """The message says what the setting accepts."""


@dataclass(frozen=True, slots=True)
class Flag:
    """On or off."""


@dataclass(frozen=True, slots=True)
class Number:
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Several:
    """Any number of these."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Whatever the setting's own reader takes."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Written, and shown to nobody."""


Shape = Flag | Number | Choice | Several | Text | Secret
SET: Final = "set"  # all that is read, shown and audited of a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    name: str
    default: T
    parse: Callable[[str], T]
    accepts: str | Promise
    help: str | Promise
    shape: Shape = Text()  # how a form asks for it


REGISTRY: Final[dict[str, Setting[Any]]] = {}


def _register(setting: Setting[T]) -> Setting[T]:
    REGISTRY[setting.name] = setting
    return setting


def flag(name: str, *, default: bool, help: str | Promise) -> Setting[bool]:  # noqa: A002 - the word forms use
    def parse(text: str) -> bool:
        if text.lower() not in {"on", "off", "true", "false"}:
            raise InvalidSetting(_("on or off"))
        return text.lower() in {"on", "true"}

    accepts = gettext_lazy("on or off")
    return _register(Setting(name=name, default=default, parse=parse, accepts=accepts, help=help, shape=Flag()))


def choice(name: str, *, default: str, values: tuple[str, ...], help: str | Promise) -> Setting[str]:  # noqa: A002
    accepts = ", ".join(values)

    def parse(text: str) -> str:
        if text not in values:
            raise InvalidSetting(accepts)
        return text

    shape = Choice(values)
    return _register(Setting(name=name, default=default, parse=parse, accepts=accepts, help=help, shape=shape))


def several(
    name: str,
    *,
    default: tuple[str, ...],
    values: tuple[str, ...],
    help: str | Promise,  # noqa: A002
) -> Setting[tuple[str, ...]]:
    accepts = ", ".join(values)

    def parse(text: str) -> tuple[str, ...]:
        chosen = {item.strip() for item in text.split(",") if item.strip()}
        if chosen - set(values):
            raise InvalidSetting(accepts)
        return tuple(value for value in values if value in chosen)

    shape = Several(values)
    return _register(Setting(name=name, default=default, parse=parse, accepts=accepts, help=help, shape=shape))


def whole_number(text: str) -> int | None:
    """None when it is not one, or longer than any setting takes (`int` itself refuses thousands of digits)."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def number(name: str, *, default: int, low: int, high: int, help: str | Promise) -> Setting[int]:  # noqa: A002
    accepts = f"{low}..{high}"

    def parse(text: str) -> int:
        if whole_number(text) not in range(low, high + 1):
            raise InvalidSetting(accepts)
        return int(text)

    shape = Number(low, high)
    return _register(Setting(name=name, default=default, parse=parse, accepts=accepts, help=help, shape=shape))


def parsed(
    name: str,
    *,
    default: T,
    parse: Callable[[str], T],
    accepts: str | Promise,
    help: str | Promise,  # noqa: A002
    shape: Shape = Text(),
) -> Setting[T]:
    """A setting with a reader of its own, which raises InvalidSetting."""
    return _register(Setting(name=name, default=default, parse=parse, accepts=accepts, help=help, shape=shape))


def secret(name: str, *, help: str | Promise) -> Setting[str]:  # noqa: A002
    """A setting whose value is kept sealed: `read` says whether there is one, `reveal` what it is."""
    accepts = gettext_lazy("a secret, which is not shown again; empty removes it")
    return _register(Setting(name=name, default="", parse=str, accepts=accepts, help=help, shape=Secret()))


class _Cache:
    """The rows as last read by this process."""

    def __init__(self) -> None:
        self._rows: Mapping[str, Any] = {}
        self._until = 0.0

    def rows(self) -> Mapping[str, Any]:
        if time.monotonic() >= self._until:
            self._rows = dict(SettingRow.objects.values_list("name", "value"))
            self._until = time.monotonic() + CACHE_SECONDS
        return self._rows

    def clear(self) -> None:
        self._until = 0.0


_cache = _Cache()
clear_cache = _cache.clear


def read(setting: Setting[T]) -> T:
    text = _cache.rows().get(setting.name)
    return setting.default if text is None else setting.parse(text)


def reveal(setting: Setting[str]) -> str:
    """What a secret is, for the one place that needs it."""
    row = SettingRow.objects.filter(name=setting.name).first()
    return bytes(row.sealed).decode() if row is not None and row.sealed is not None else ""


def shown(setting: Setting[Any]) -> str:
    """The value as an administrator types it."""
    value = read(setting)
    match value:
        case bool():
            return "on" if value else "off"
        case None:
            return "none"
        case tuple() | list():
            return ",".join(str(item) for item in value)
        case _:
            return str(value)


@transaction.atomic
def change(name: str, text: str, *, actor: str, address: str | None = None) -> None:
    """Validate, store and audit.  Raises KeyError for an unknown name, InvalidSetting for a refused value."""
    setting = REGISTRY[name]
    text = text.strip()
    if not is_xml(text):
        raise InvalidSetting(_("a text without control characters"))
    setting.parse(text)
    before = shown(setting)
    sealed: bytes | None = None
    if isinstance(setting.shape, Secret):
        sealed, text = (text.encode(), SET) if text else (None, "")
    SettingRow.objects.update_or_create(name=name, defaults={"value": text, "sealed": sealed, "changed_by": actor})
    _cache.clear()
    audit.record(
        "setting.changed",
        actor=actor,
        address=address,
        subject_type="setting",
        subject=name,
        details={"from": before, "to": text.strip()},
    )
    transaction.on_commit(_cache.clear)
