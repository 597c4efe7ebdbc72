"""Parameters as clients of EPMM send them: in the address, in a JSON body, or half in each."""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from django.http import QueryDict
from django.utils.translation import gettext as _

from epmm.api.errors import ApiError, bad_parameter
from epmm.numbers import grouped
from epmm.texts import is_storable

FORM: Final = "application/x-www-form-urlencoded"
LONGEST_NUMBER: Final = 18
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}


def read_body(raw: bytes, content_type: str) -> Mapping[str, Any]:
    """Whatever the content type says, a body is JSON, unless it is a form.  Raises ApiError."""
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        if content_type.partition(";")[0].strip().lower() == FORM:
            form = QueryDict(raw)
            return {name: values if len(values) > 1 else values[0] for name, values in form.lists()}
        raise ApiError(400, "body.invalid", _("The body is not JSON.")) from error
    if not isinstance(found, dict):
        raise ApiError(400, "body.invalid", _("The body is not a JSON object."))
    return found


def _finite(number: str) -> float:
    """Python would read NaN, Infinity and 1e999, which JSON does not have (RFC 8259, section 6)."""
    if not isfinite(found := float(number)):
        raise ValueError(number)
    return found


class Parameters:
    """Those of one call; a body's go before the address's."""

    def __init__(self, query: QueryDict, body: Mapping[str, Any]) -> None:
        self._query, self._body = query, body

    @property
    def of_address(self) -> "Parameters":
        return type(self)(self._query, {})

    def __contains__(self, name: str) -> bool:
        return name in self._body or name in self._query

    def names(self) -> list[str]:
        return sorted({*self._query, *self._body})

    def raw(self, name: str) -> Any:
        """As it came; None where it did not."""
        found = self._body.get(name) if name in self._body else None
        return found if found is not None else self._query.get(name)

    def text(self, name: str, default: str = "", *, longest: int = 20_000) -> str:
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise bad_parameter(name, _("{name} is a text.").format(name=name))
        text = str(value)
        if not is_storable(text) or len(text) > longest:
            raise bad_parameter(
                name, _("{name} is a text of at most {n} characters.").format(name=name, n=grouped(longest))
            )
        return text

    def number(self, name: str, default: int | None = None, *, low: int = 0, high: int = 10**LONGEST_NUMBER) -> int:
        value = self.raw(name)
        if value is None or value == "":
            if default is None:
                raise bad_parameter(name, _("{name} is missing.").format(name=name))
            return default
        number = whole(value)
        if number is None or not low <= number <= high:
            sentence = _("{name} is a whole number from {low} to {high}.")
            raise bad_parameter(name, sentence.format(name=name, low=low, high=high))
        return number

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.raw(name)
        found = default if value in (None, "") else _FLAGS.get(str(value).strip().lower())
        if found is None:
            raise bad_parameter(name, _("{name} is true or false.").format(name=name))
        return found

    def several(self, name: str) -> list[str]:
        """A JSON list, the same name again and again, or texts with commas; each once, in the order given."""
        value = self._body.get(name)
        if value is None:
            value = self._query.getlist(name)
        given = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in given):
            raise bad_parameter(name, _("{name} is a list of texts.").format(name=name))
        parts = [part.strip() for each in given for part in str(each).split(",")]
        if not all(map(is_storable, parts)):
            raise bad_parameter(name, _("{name} is a list of texts.").format(name=name))
        return list(dict.fromkeys(part for part in parts if part))

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.raw(name)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = read_body(value.encode(errors="replace"), "")
        if value in (None, ""):
            return {}
        if not isinstance(value, Mapping):
            raise bad_parameter(name, _("{name} is an object.").format(name=name))
        return value

    def within(self, name: str) -> "Parameters":
        """What an object holds, and before it whatever stands beside it."""
        return type(self)(self._query, {**self._body, **self.mapping(name)})

    def choice(self, name: str, values: Iterable[str], default: str) -> str:
        """In any case of letters."""
        wanted, known = self.text(name, default).strip().upper() or default.upper(), tuple(values)
        found = next((value for value in known if value.upper() == wanted), None)
        if found is None:
            raise bad_parameter(name, _("{name} is one of {values}.").format(name=name, values=", ".join(known)))
        return found


class AnyCase(Parameters):
    """Their names in any case of letters, as whoever calls the older API writes them."""

    def __init__(self, query: QueryDict, body: Mapping[str, Any]) -> None:
        folded = QueryDict(mutable=True)
        for name, values in query.lists():
            folded.setlistdefault(name.lower()).extend(values)
        super().__init__(folded, {name.lower(): value for name, value in body.items()})

    def __contains__(self, name: str) -> bool:
        return super().__contains__(name.lower())

    def raw(self, name: str) -> Any:
        return super().raw(name.lower())

    def several(self, name: str) -> list[str]:
        return super().several(name.lower())


def whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    digits = text.removeprefix("-")
    is_whole = digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST_NUMBER
    return int(text) if is_whole else None
