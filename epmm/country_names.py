"""Countries by their ISO 3166 codes, in English and as CLDR names them: EPMM's names are the same."""

from collections.abc import Mapping
from typing import Final

from babel import Locale

LETTERS: Final = 2  # codes of three digits are regions of the world
NAMES: Final[Mapping[str, str]] = {
    code: name for code, name in Locale("en").territories.items() if len(code) == LETTERS
}
