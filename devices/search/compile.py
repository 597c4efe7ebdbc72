"""From a tree to a condition on devices.  What is written reaches the database as a parameter, in no other way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import reduce
from operator import and_, or_
from typing import Final

from django.db.models import Q
from django.utils import timezone

from devices.models import os_version_number
from devices.search import errors, values
from devices.search.errors import SearchError
from devices.search.fields import Field, Kind, Registry
from devices.search.sources import Value, as_uuid
from devices.search.sql import EVERYTHING, NOTHING, text_holds
from devices.search.tree import All, AnyOf, Node, Not, Operator, Test, Word
from epmm.folding import fold

# Of these a test is true exactly where that of the other is not, also where the field is unset.
_OPPOSITE: Final = {
    Operator.DIFFERS: Operator.EQUALS,
    Operator.LACKS: Operator.CONTAINS,
    Operator.IS_EMPTY: Operator.IS_NOT_EMPTY,
}
_PARTS: Final = frozenset({Operator.CONTAINS, Operator.LACKS, Operator.BEGINS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and where an expression is meant: what `today` and `now-7d` say."""

    now: datetime
    zone: tzinfo


def here_and_now() -> Moment:
    return Moment(now=timezone.now(), zone=timezone.get_default_timezone())


def compiled(node: Node, registry: Registry, moment: Moment) -> Q:
    """Raises SearchError where an operator or a value does not fit its field."""
    return _Compiler(registry, moment).node(node)


def check(node: Node, registry: Registry) -> None:
    """Raises SearchError as `compiled` does."""
    compiled(node, registry, here_and_now())


class _Compiler:
    def __init__(self, registry: Registry, moment: Moment) -> None:
        self._registry, self._moment = registry, moment

    def node(self, node: Node, *, negated: bool = False) -> Q:
        """NOT is moved inwards, to the tests: they know what is unset."""
        match node:
            case Test():
                return self._test(node, negated=negated)
            case Word(text=text):
                return ~_word(text) if negated else _word(text)
            case Not(part=part):
                return self.node(part, negated=not negated)
            case All(parts=parts):
                return self._joined(parts, and_, EVERYTHING, negated=negated)
            case AnyOf(parts=parts):
                return self._joined(parts, or_, NOTHING, negated=negated)

    def _joined(self, parts: tuple[Node, ...], join: Callable[[Q, Q], Q], none: Q, *, negated: bool) -> Q:
        if negated:
            join, none = (or_, NOTHING) if join is and_ else (and_, EVERYTHING)
        return reduce(join, [self.node(part, negated=negated) for part in parts] or [none])

    def _test(self, test: Test, *, negated: bool) -> Q:
        field = self._registry[test.field]
        if test.operator not in field.operators:
            operators = ", ".join(operator.written for operator in field.operators)
            raise SearchError(
                errors.WRONG_OPERATOR,
                test.operator_at,
                {"operator": test.operator.written, "field": field.key, "operators": operators},
            )
        operator = _OPPOSITE.get(test.operator, test.operator)
        value = self._value(test, field) if operator.takes_value else None
        negated ^= operator is not test.operator
        return field.source.misses(operator, value) if negated else field.source.matches(operator, value)

    def _value(self, test: Test, field: Field) -> Value:
        match field.kind:
            case Kind.NUMBER:
                return self._number(test, field)
            case Kind.DATE:
                return self._read(
                    lambda text: values.period(text, now=self._moment.now, zone=self._moment.zone),
                    errors.NOT_A_DATE, test,
                )  # fmt: skip
            case Kind.BOOLEAN:
                return self._read(values.flag, errors.NOT_A_FLAG, test)
            case Kind.VERSION if test.operator not in _PARTS:
                return self._read(_version, errors.NOT_A_VERSION, test)
            case Kind.ENUMERATION:
                return _choice(test, field)
        return test.value

    def _number(self, test: Test, field: Field) -> Value:
        number = self._read(values.number, errors.NOT_A_NUMBER, test)
        if field.is_whole and isinstance(number, float) and not number.is_integer():
            raise SearchError(errors.NOT_WHOLE, test.value_at, {"field": field.key})
        return number

    def _read(self, read: Callable[[str], Value], message: str, test: Test) -> Value:
        try:
            return read(test.value)
        except ValueError as error:
            raise SearchError(message, test.value_at, {"field": test.field}) from error


def _version(text: str) -> float:
    number = os_version_number(text.strip())
    if number is None:
        raise ValueError
    return float(number)


def _choice(test: Test, field: Field) -> str:
    value = field.value(test.value)
    if value is not None:
        return value
    if field.is_open:
        return test.value
    near = field.nearest_value(test.value)
    message = errors.UNKNOWN_VALUE_NEAR if near else errors.UNKNOWN_VALUE
    told = {"field": field.key, "x": test.value, "y": near or "", "values": ", ".join(field.values)}
    raise SearchError(message, test.value_at, told)


def _word(text: str) -> Q:
    """In what names the device or its user; or it is the UUID of the record."""
    found = text_holds(fold(text))
    uuid = as_uuid(text)
    return found if uuid is None else found | Q(uuid=uuid)
