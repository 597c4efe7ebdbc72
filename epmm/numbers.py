"""Numbers and times as people read and type them."""

from datetime import UTC, datetime
from typing import Final

from django.utils.formats import number_format

_SEPARATORS: Final = dict.fromkeys(
    map(ord, ".,' \N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}")
)


def grouped(number: int) -> str:
    """With the separators of the reader's language."""
    return number_format(number, force_grouping=True)


def in_utc(at: datetime) -> str:
    """To the second, where nobody's own zone is known."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def is_typed(text: str, number: int) -> bool:
    """With the separators of whatever language, or without."""
    return text.translate(_SEPARATORS) == str(number)
