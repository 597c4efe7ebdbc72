"""Python's search for garbage, in processes that live long."""

import gc
from typing import Final

AFTER: Final = 20_000  # new objects; some hundred requests


def spare() -> None:
    """What is loaded now stays: looking through it for garbage again and again stops everything for 50 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(AFTER)
