"""Payloads of commands: a property list has data, for which JSON has no word.  It is written in base64."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from devices.protocol.commands import REGISTRY
from devices.protocol.commands.keys import ITEM, Form, Key
from epmm.api import problems
from epmm.api.errors import ApiError

DEEPEST: Final = 32


def of_json(request_type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What is wrong besides, the command itself says.  Raises ApiError."""
    made = REGISTRY.get(request_type)
    keys = {key.name: key for key in made.keys} if made else {}
    return {name: _read(value, keys.get(name), ("payload", name)) for name, value in payload.items()}


def _read(value: Any, key: Key | None, place: tuple[str, ...]) -> Any:
    if len(place) > DEEPEST:
        raise _wrong(place, _("This is nested too deeply."))
    match value:
        case str():
            return _data(value, place) if key is not None and key.form is Form.DATA else _text(value, place)
        case list():
            item = key.item if key is not None else None
            return [_read(each, item, (*place, str(at))) for at, each in enumerate(value)]
        case dict():
            keys = {each.name: each for each in _keys(key, value)}
            return {_text(name, place): _read(each, keys.get(name), (*place, name)) for name, each in value.items()}
        case None:
            raise _wrong(place, _("A property list has no null: leave the key out."))
    return value


def _keys(key: Key | None, value: Mapping[str, Any]) -> tuple[Key, ...]:
    if key is None or not key.choice:
        return key.keys if key is not None else ()
    return next((each.keys for each in key.keys if each.name == value.get(ITEM)), ())


def _data(value: str, place: tuple[str, ...]) -> bytes:
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong(place, _("This is data, which is written in base64.")) from error


def _text(value: str, place: tuple[str, ...]) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _wrong(place[:-1], _("This holds half a character.")) from error
    return value


def _wrong(place: tuple[str, ...], sentence: str) -> ApiError:
    errors: Any = [sentence]
    for name in reversed(place):
        errors = {name.encode(errors="replace").decode(): errors}
    return problems.invalid_fields(errors)
