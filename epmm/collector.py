"""Python's search for garbage, in our processes."""

import gc
from typing import Final

AFTER: Final = 20_000  # new objects; some hundred requests


def go_easy() -> None:
    """From the start: while modules are loaded nothing becomes garbage, and looking for it is a tenth of the work."""
    gc.set_threshold(AFTER)


def spare() -> None:
    """What is loaded now stays: looking through it for garbage again and again stops everything for 50 ms."""
    gc.collect()
    gc.freeze()
    go_easy()
