"""The keys of a command as Apple's schema has them, and what is wrong with those that somebody wrote down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from devices.protocol.sentence import Sentence, gettext_noop, with_nearest
from devices.protocol.sentence import sentence as _
from devices.protocol.support import At, lacks_right, objection
from devices.protocol.target import Platform, Target

LONGEST_NAME: Final = 64  # of an unknown key, which is somebody's typing error
ITEM: Final = "Item"  # names which dictionary of the alternatives an item of `Settings` is


class Form(Enum):
    """What a value is; the value of the member is how a sentence calls it."""

    TEXT = gettext_noop("text")
    DATA = gettext_noop("data")
    NUMBER = gettext_noop("a whole number")
    FLAG = gettext_noop("true or false")
    LIST = gettext_noop("an array")
    TABLE = gettext_noop("a dictionary")
    ANY = gettext_noop("anything")

    @property
    def called(self) -> Sentence:
        return _(self.value)


_TYPES: Final[dict[Form, type[Any]]] = {
    Form.TEXT: str, Form.DATA: bytes, Form.NUMBER: int, Form.FLAG: bool, Form.LIST: list, Form.TABLE: dict,
    Form.ANY: object,
}  # fmt: skip


class Mistake(Exception):
    """A command cannot be made of this.  The argument is a sentence, and quotes no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    name: str
    form: Form
    needed: bool = False
    values: tuple[str | int, ...] = ()  # empty: any
    item: "Key | None" = None  # of an array
    keys: tuple["Key", ...] = ()  # of a dictionary; empty: whatever it likes
    choice: bool = False  # the item is one of `keys`, told apart by its key Item
    secret: bool = False  # a password, or a file that may hold one
    ios: At | None = field(default_factory=At)  # None: the platform does not know the key
    macos: At | None = field(default_factory=At)
    visionos: At | None = field(default_factory=At)

    def on(self, platform: Platform) -> At | None:
        return {Platform.IOS: self.ios, Platform.MACOS: self.macos, Platform.VISIONOS: self.visionos}[platform]


def text(name: str, *values: str, **limits: Any) -> Key:
    return Key(name=name, form=Form.TEXT, values=values, **limits)


def number(name: str, *values: int, **limits: Any) -> Key:
    return Key(name=name, form=Form.NUMBER, values=values, **limits)


def data(name: str, **limits: Any) -> Key:
    return Key(name=name, form=Form.DATA, **limits)


def flag(name: str, **limits: Any) -> Key:
    return Key(name=name, form=Form.FLAG, **limits)


def table(name: str, *keys: Key, **limits: Any) -> Key:
    return Key(name=name, form=Form.TABLE, keys=keys, **limits)


def texts(name: str, *values: str, **limits: Any) -> Key:
    return array(name, text("", *values), **limits)


def array(name: str, item: Key, **limits: Any) -> Key:
    return Key(name=name, form=Form.LIST, item=item, **limits)


def choices(name: str, *items: Key, **limits: Any) -> Key:
    """An array of dictionaries of several kinds."""
    return array(name, Key(name="", form=Form.TABLE, keys=items, choice=True), **limits)


def check(command: str, keys: tuple[Key, ...], values: Mapping[Any, Any], target: Target) -> None:
    """Raise the first `Mistake` in the payload of this command."""
    _Check(command, target).table("", keys, values)


@dataclass(frozen=True, slots=True)
class _Check:
    command: str
    target: Target

    def table(self, path: str, keys: tuple[Key, ...], values: Mapping[Any, Any]) -> None:
        known = {key.name: key for key in keys}
        for name in values:
            if name not in known:
                self._unknown(path, str(name)[:LONGEST_NAME], known)
        for key in keys:
            if key.name in values:
                self._known(path + key.name, key, values[key.name])
            elif key.needed:
                raise Mistake(_needs(self._owner(path), key.name, key.form))

    def _known(self, path: str, key: Key, value: Any) -> None:
        at = key.on(self.target.platform)
        self._allowed(_("the key {path} of {command}", path=path, command=self.command), at)
        self._value(path, key, value)

    def _allowed(self, subject: str, at: At | None) -> None:
        right = at.right if at is not None else None
        if sentence := objection(subject, at, self.target) or lacks_right(subject, right, self.target):
            raise Mistake(sentence)

    def _value(self, path: str, key: Key, value: Any) -> None:
        if not is_a(value, key.form):
            raise Mistake(_("{subject} is {what}.", subject=self._key(path), what=key.form.called))
        if key.values and value not in key.values:
            raise Mistake(_("{subject} is {what}.", subject=self._key(path), what=_one_of(key.values)))
        if key.choice:
            self._alternative(path, key.keys, value)
        elif key.keys:
            self.table(f"{path}.", key.keys, value)
        elif key.item is not None:
            for position, item in enumerate(value):
                self._value(f"{path}[{position}]", key.item, item)

    def _alternative(self, path: str, items: tuple[Key, ...], value: Mapping[str, Any]) -> None:
        """One dictionary of several kinds.  Which, its Item says."""
        known = {item.name: item for item in items}
        name = value.get(ITEM)
        if not isinstance(name, str):
            raise Mistake(_needs(self._key(path), ITEM, Form.TEXT))
        if name not in known:
            short = name[:LONGEST_NAME]
            told = _("{command} has no Item {name}.", command=self.command, name=short)
            raise Mistake(with_nearest(told, short, known))
        subject = _("the Item {name} of {command}", name=name, command=self.command)
        self._allowed(subject, known[name].on(self.target.platform))
        self.table(f"{path}.", known[name].keys, value)

    def _unknown(self, path: str, name: str, known: Mapping[str, Key]) -> None:
        told = _("{subject} has no key {name}.", subject=self._owner(path), name=name)
        raise Mistake(with_nearest(told, name, known))

    def _owner(self, path: str) -> str:
        return self._key(path[:-1]) if path else self.command

    def _key(self, path: str) -> Sentence:
        return _("The key {path} of {command}", path=path, command=self.command)


def is_a(value: Any, form: Form) -> bool:
    """As in a property list, where a boolean is no number."""
    if form in {Form.NUMBER, Form.FLAG}:
        return type(value) is _TYPES[form]
    if form is Form.LIST:
        return isinstance(value, list | tuple)
    return isinstance(value, Mapping if form is Form.TABLE else _TYPES[form])


def secrets_in(keys: tuple[Key, ...]) -> Iterator[str]:
    return (key.name for key in keys if key.secret)


def _needs(subject: str, key: str, form: Form) -> Sentence:
    return _("{subject} needs the key {key}, which is {form}.", subject=subject, key=key, form=form.called)


def _one_of(values: tuple[str | int, ...]) -> str:
    *others, last = map(str, values)
    return _("{others} or {last}", others=", ".join(others), last=last) if others else last
