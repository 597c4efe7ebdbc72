"""From text to a tree: `ios.Supervised = true AND (common.os_version < 18.2 OR samsung)`.  No Django.

    query = [ or ] ;               and   = unary { AND unary } ;
    or    = and { OR and } ;       unary = [ NOT ] ( "(" or ")" | test ) ;
    test  = field operator value | field ( "is empty" | "is not empty" ) | word ;

Which operators and values fit a field is another question: `devices/search/compile.py` answers it.
"""

import re
from collections.abc import Callable
from typing import Final, Protocol

from devices.search import errors
from devices.search.errors import SearchError
from devices.search.tree import EVERYTHING, All, AnyOf, Node, Not, Operator, Test, Word

LONGEST: Final = 20_000
DEEPEST: Final = 20
MOST_TESTS: Final = 500

_SPACE: Final = re.compile(r"\s*")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_BARE: Final = re.compile(r"""[^\s()"=<>][^\s)]*""")
_SYMBOL: Final = re.compile(r"!=|>=|<=|[=<>]")
_RESERVED: Final = frozenset({"AND", "OR", "NOT"})
# the longer ones first: one begins as another does
_WORDS: Final = (
    Operator.LACKS, Operator.CONTAINS, Operator.BEGINS, Operator.IS_NOT_EMPTY, Operator.IS_EMPTY,
)  # fmt: skip
_OPERATOR_WORD: Final = {
    operator: re.compile(r'(")?' + r"\s+".join(operator.split()) + r'(?(1)"|(?![A-Za-z0-9_.]))', re.IGNORECASE)
    for operator in _WORDS
}
# what a database does not store, and what keeps the parts of `Device.search_text` apart
NEVER_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")


class Names(Protocol):
    """The fields that there are."""

    @property
    def with_spaces(self) -> tuple[str, ...]: ...

    def resolve(self, name: str) -> str | None:
        """The key of the field that goes by this name."""
        ...

    def nearest(self, name: str) -> str | None: ...


def parse(text: str, names: Names) -> Node:
    """Raises SearchError."""
    if len(text) > LONGEST:
        raise SearchError(errors.TOO_LONG, LONGEST + 1, {"most": f"{LONGEST:,}"})
    if bad := NEVER_IN_TEXT.search(text):
        raise SearchError(errors.BAD_CHARACTER, bad.start() + 1)
    return _Parser(text, names).whole()


class _Parser:
    def __init__(self, text: str, names: Names) -> None:
        self._text, self._names = text, names
        self._position = self._depth = self._tests = 0
        self._spaced = [
            re.compile(r"\s+".join(map(re.escape, name.split())) + r"(?![A-Za-z0-9_.])", re.IGNORECASE)
            for name in names.with_spaces
        ]

    def whole(self) -> Node:
        self._skip()
        if self._at_end:
            return EVERYTHING
        node = self._or()
        if not self._at_end:
            raise self._error(errors.NOTHING_OPEN if self._peek == ")" else errors.NO_CONNECTION)
        return node

    # --- Structure ----------------------------------------------------------------------------------------------------

    def _or(self) -> Node:
        parts = self._joined("OR", self._and)
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _and(self) -> Node:
        parts = self._joined("AND", self._unary)
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _joined(self, keyword: str, part: Callable[[], Node]) -> list[Node]:
        parts = [part()]
        while self._keyword(keyword):
            parts.append(part())
        return parts

    def _unary(self) -> Node:
        if self._is_keyword("NOT"):
            self._deeper()
            self._move(len("NOT"))
            node: Node = Not(self._unary())
        elif self._peek == "(":
            self._deeper()
            self._move(1)
            node = self._or()
            if self._peek != ")":
                raise self._error(errors.NO_CLOSING if self._at_end else errors.NO_CONNECTION)
            self._move(1)
        else:
            return self._test()
        self._depth -= 1
        return node

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(errors.TOO_DEEP, most=str(DEEPEST))

    # --- One test -----------------------------------------------------------------------------------------------------

    def _test(self) -> Test | Word:
        self._tests += 1
        if self._tests > MOST_TESTS:
            raise self._error(errors.TOO_MANY, most=str(MOST_TESTS))
        start = self._position
        is_quoted = self._peek == '"'
        name = self._quoted() if is_quoted else self._bare_name()
        operator_at = self._position
        operator = self._operator() if name else None
        if operator is not None:
            return self._comparison(name, start, operator, operator_at)
        if not is_quoted:
            self._position = start
            name = self._bare()
            operator_at = self._position
        if not name or (not is_quoted and name.upper() in _RESERVED):
            raise SearchError(errors.NO_TEST, start + 1)
        if self._names.resolve(name) or not self._ends_here():
            raise SearchError(errors.NO_OPERATOR, operator_at + 1, {"field": name})
        return Word(name)

    def _comparison(self, name: str, start: int, operator: Operator, operator_at: int) -> Test:
        key = self._names.resolve(name)
        if key is None:
            near = self._names.nearest(name)
            message = errors.UNKNOWN_FIELD_NEAR if near else errors.UNKNOWN_FIELD
            raise SearchError(message, start + 1, {"x": name, "y": near or ""})
        value_at = self._position
        value = self._value(operator) if operator.takes_value else ""
        return Test(
            field=key,
            operator=operator,
            value=value,
            at=start + 1,
            operator_at=operator_at + 1,
            value_at=value_at + 1,
        )

    def _operator(self) -> Operator | None:
        if symbol := _SYMBOL.match(self._text, self._position):
            self._move(len(symbol[0]))
            return Operator(symbol[0])
        for operator, pattern in _OPERATOR_WORD.items():
            if found := pattern.match(self._text, self._position):
                self._move(len(found[0]))
                return operator
        return None

    def _value(self, operator: Operator) -> str:
        start = self._position
        if self._peek == '"':
            return self._quoted()
        value = self._bare()
        if not value or value.upper() in {"AND", "OR"}:
            raise SearchError(errors.NO_VALUE, start + 1, {"operator": operator.written})
        return value

    def _bare_name(self) -> str:
        for pattern in (*self._spaced, _NAME):
            if found := pattern.match(self._text, self._position):
                self._move(len(found[0]))
                return " ".join(found[0].split())
        return ""

    def _bare(self) -> str:
        found = _BARE.match(self._text, self._position)
        if found is None:
            return ""
        self._move(len(found[0]))
        return found[0]

    def _quoted(self) -> str:
        start, text = self._position, self._text
        characters = []
        place = start + 1
        while place < len(text) and text[place] != '"':
            if text[place] == "\\":
                place += 1
                if text[place : place + 1] not in {'"', "\\"}:
                    raise SearchError(errors.BAD_ESCAPE, place)
            characters.append(text[place])
            place += 1
        if place >= len(text):
            raise SearchError(errors.NO_END_OF_TEXT, start + 1)
        self._move(place + 1 - start)
        return "".join(characters)

    # --- Reading on ---------------------------------------------------------------------------------------------------

    @property
    def _at_end(self) -> bool:
        return self._position >= len(self._text)

    @property
    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _move(self, count: int) -> None:
        self._position += count
        self._skip()

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._position)
        self._position = space.end() if space else self._position

    def _is_keyword(self, keyword: str) -> bool:
        end = self._position + len(keyword)
        if self._text[self._position : end].upper() != keyword:
            return False
        return re.match(r'[\s("]|$', self._text[end : end + 1]) is not None

    def _keyword(self, keyword: str) -> bool:
        if not self._is_keyword(keyword):
            return False
        self._move(len(keyword))
        return True

    def _ends_here(self) -> bool:
        return self._at_end or self._peek == ")" or self._is_keyword("AND") or self._is_keyword("OR")

    def _error(self, message: str, **values: str) -> SearchError:
        return SearchError(message, self._position + 1, values)
