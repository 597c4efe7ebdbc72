"""What can be done in the background: each app registers its handlers by kind, in its `tasks.py`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., None])

HANDLERS: Final[dict[str, Callable[..., None]]] = {}
PERIODIC: Final[dict[str, timedelta]] = {}


def handles(kind: str, *, every: timedelta | None = None) -> Callable[[Handler], Handler]:
    """Register the handler of `kind`; with `every`, the dispatcher keeps it coming."""

    def register(handler: Handler) -> Handler:
        HANDLERS[kind] = handler
        if every is not None:
            PERIODIC[kind] = every
        return handler

    return register


def run(kind: str, arguments: dict[str, Any]) -> None:
    HANDLERS[kind](**arguments)
