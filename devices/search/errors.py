"""What is wrong with an expression, and where.  No Django: whoever shows it translates it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


def _(message: str) -> str:
    """Marks a sentence for translation."""
    return message


@dataclass(eq=False)
class SearchError(Exception):
    """`at` counts characters from 1.  The sentence of `message` may name `n`, the same number."""

    message: str
    at: int
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message.format(n=self.at, **self.values)


UNKNOWN_FIELD = _('Unknown field "{x}".')
UNKNOWN_FIELD_NEAR = _('Unknown field "{x}". Did you mean "{y}"?')
NO_VALUE = _("Expected a value after {operator} at character {n}.")
NO_OPERATOR = _("Expected an operator after {field} at character {n}.")
NO_TEST = _("Expected a field or a word at character {n}.")
NO_CONNECTION = _("Expected AND or OR at character {n}.")
NO_CLOSING = _("Expected a closing parenthesis at character {n}.")
NOTHING_OPEN = _("No parenthesis is open at character {n}.")
NO_END_OF_TEXT = _("The quotation mark at character {n} is not closed.")
BAD_ESCAPE = _('After a backslash at character {n} only " and another backslash may stand.')
BAD_CHARACTER = _("The character at {n} cannot be searched for.")
TOO_LONG = _("An expression has at most {most} characters.")
TOO_DEEP = _("Parentheses are nested more than {most} deep at character {n}.")
TOO_MANY = _("An expression has at most {most} conditions; one more begins at character {n}.")
HIDDEN_FIELD = _("{field} at character {n} is hidden from you by the GDPR profile and cannot be searched for.")
HIDDEN_WORD = _("Words without a field are looked for in what the GDPR profile hides from you. Name a field.")
WRONG_OPERATOR = _("{operator} at character {n} does not fit {field}, which takes {operators}.")
NOT_A_NUMBER = _("{field} is compared with a number; what stands at character {n} is none.")
NOT_WHOLE = _("{field} is compared with a whole number; what stands at character {n} is none.")
NOT_A_DATE = _("{field} is compared with a date as 2026-01-31, 2026-01-31T08:00Z, today or now-7d; see character {n}.")
NOT_A_FLAG = _("{field} is true or false; what stands at character {n} is neither.")
NOT_A_VERSION = _("{field} is compared with a version as 17.4.1; what stands at character {n} is none.")
UNKNOWN_VALUE = _('{field} is never "{x}"; see character {n}. Its values are {values}.')
UNKNOWN_VALUE_NEAR = _('{field} is never "{x}"; see character {n}. Did you mean "{y}"?')
