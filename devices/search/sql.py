"""What the ORM does not say the same way to PostgreSQL and SQLite."""
# ruff: noqa: ARG002 - the signatures are Django's

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import BooleanField, CharField, F, Func, Q, TextField, Value
from django.db.models.lookups import Exact

from devices.search import rarest, trigrams
from devices.search.few import FEW, counted
from epmm.indexed import escaped

NOTHING: Final = Q(pk__in=[])
EVERYTHING: Final = ~NOTHING


class AsciiLower(Func):
    """Without regard to the locale: for what machines name."""

    output_field = TextField()
    function = "lower"
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template='lower(%(expressions)s COLLATE "C")', **context)


class UuidText(Func):
    """As people write one; SQLite keeps 32 digits."""

    output_field = CharField()
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)::text", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        sql, parameters = compiler.compile(self.source_expressions[0])
        parts = " || '-' || ".join(
            f"substr({sql}, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        )
        return f"({parts})", tuple(parameters) * 5


class BesideIndex(Func):
    """A column whose index is not entered where rows are put in order: SQLite would sort all that it leads to.

    A page in an order that one of its indexes goes on with, `beside`, is read from that.
    """

    output_field = CharField()
    arity = 1
    template = "%(expressions)s"

    def __init__(self, expression: Any, *, beside: Sequence[str] = (), **extra: Any) -> None:
        super().__init__(expression, **extra)
        self.beside = beside

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        order = compiler.query.order_by[:1]
        is_beside = bool(order) and getattr(getattr(order[0], "expression", None), "name", "") not in self.beside
        template = "+%(expressions)s" if is_beside else "%(expressions)s"
        return self.as_sql(compiler, connection, template=template, **context)


class _Found(Func):
    output_field = BooleanField()
    conditional = True


class _Compared(_Found):
    """A column whose index leads to few with some values: SQLite would look up each row that it leads to, which takes
    five times as long as to look through all of them, and sort them where there is an order."""

    def __init__(self, column: str, sign: str, value: Any) -> None:
        super().__init__(F(column), Value(value), template="(%(expressions)s)", arg_joiner=f" {sign} ")
        self._column, self._sign = column, sign

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        column, value = map(compiler.compile, self.source_expressions)
        rows = f"SELECT 1 FROM devices_device WHERE NOT (status = 'RETIRED') AND {self._column} {self._sign} %s"  # noqa: S608 - ours
        has_few = not compiler.query.order_by and counted(connection, rows, value[1]) <= FEW
        return f"({'' if has_few else '+'}{column[0]} {self._sign} {value[0]})", (*column[1], *value[1])


class _Holds(_Found):
    """LIKE needs escapes and, on SQLite, ignores the case of some letters."""

    template = "(%(function)s(%(expressions)s) > 0)"
    function = "instr"

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="strpos", **context)


class _HoldsIndeed(_Holds):
    """Of rows that an index has led to: PostgreSQL estimates that nearly all of them are meant, as they are."""

    template = "(%(function)s(%(expressions)s) <> 0)"


class _Begins(_Found):
    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="starts_with(%(expressions)s)", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        text, found = map(compiler.compile, self.source_expressions)
        return f"(substr({text[0]}, 1, length({found[0]})) = {found[0]})", (*text[1], *found[1], *found[1])


class _Indexed(_Found):
    """Of `Device.search_text`, the text, and the key.

    PostgreSQL's index knows LIKE, and is asked for parts of the text.  What SQLite has is a table of its own, which
    leads to few devices or to none: as the planner knows nothing about it, it is asked first.
    """

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Of a rare text it is said twice: by a hundred sampled texts PostgreSQL may guess ten times as many devices as
        hold it, and look for a page of them along its order, past nearly all the others; of two conditions it expects
        few."""
        column, text, _key = map(compiler.compile, self.source_expressions)
        pattern = f"%{'%'.join(map(escaped, rarest.parts(connection, text[1][0])))}%"
        if compiler.query.order_by and rarest.is_rare(connection, text[1][0]):
            return f"({column[0]} LIKE {text[0]} AND {column[0]} LIKE {text[0]})", (
                *column[1], pattern, *column[1], f"%{pattern}",
            )  # fmt: skip
        return f"({column[0]} LIKE {text[0]})", (*column[1], pattern)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        column, text, key = map(compiler.compile, self.source_expressions)
        most = trigrams.FEW_IN_ORDER if compiler.query.order_by else FEW
        if phrase := trigrams.phrase_of_few(connection, text[1][0], most):
            return f"({key[0]} IN ({trigrams.FOUND}))", (*key[1], phrase)
        return self._walk(column, text)

    @abstractmethod
    def _walk(self, column: Any, text: Any) -> Any:
        """SQL and parameters, where no index leads to few devices."""


class _MayHold(_Indexed):
    """Where no index leads, it is always true."""

    def _walk(self, column: Any, text: Any) -> Any:
        return "1", ()


class _IndexedHolds(_Indexed):
    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        column, text, _key = map(compiler.compile, self.source_expressions)
        may_hold, parameters = super().as_postgresql(compiler, connection, **context)
        return f"({may_hold} AND strpos({column[0]}, {text[0]}) <> 0)", (*parameters, *column[1], *text[1])

    def _walk(self, column: Any, text: Any) -> Any:
        return f"(instr({column[0]}, {text[0]}) > 0)", (*column[1], *text[1])


def compared(column: str, sign: str, value: Any) -> Q:
    """Of the devices that are not retired an index is entered by it, where it leads to few."""
    return Q(_Compared(column, sign, value))


def holds(expression: Any, text: str, *, is_likely: bool = False) -> Q:
    return Q((_HoldsIndeed if is_likely else _Holds)(expression, Value(text)))


def begins(expression: Any, text: str) -> Q:
    return Q(_Begins(expression, Value(text)))


def is_text(expression: Any, text: str) -> Q:
    return Q(Exact(expression, Value(text)))


def may_hold(text: str) -> Q:
    """True of each device whose text for the search holds it, found through its trigrams."""
    return Q(_MayHold(F("search_text"), Value(text), F("pk")))


def text_holds(text: str) -> Q:
    """As `holds` of the text for the search, through its trigrams."""
    return Q(_IndexedHolds(F("search_text"), Value(text), F("pk")))
