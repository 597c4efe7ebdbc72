"""Which release this is; `pyproject.toml` says the same."""

from typing import Final

NUMBER: Final = "0.1.0"
BUILD: Final = 1
