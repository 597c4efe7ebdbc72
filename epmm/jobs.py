"""What can be done in the background: each app registers its handlers by kind, in its `tasks.py`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., None])

HANDLERS: Final[dict[str, Callable[..., None]]] = {}
PERIODIC: Final[dict[str, timedelta]] = {}
OUTBOXES: Final[dict[str, Callable[[], bool]]] = {}


def handles(
    kind: str, *, every: timedelta | None = None, outbox: Callable[[], bool] | None = None
) -> Callable[[Handler], Handler]:
    """Register the handler of `kind`; with `every`, the dispatcher keeps it coming.

    With `outbox` it has no rows in the job table: rows of its own wait for it, which that cheap question finds.
    """

    def register(handler: Handler) -> Handler:
        HANDLERS[kind] = handler
        if every is not None:
            PERIODIC[kind] = every
        if outbox is not None:
            OUTBOXES[kind] = outbox
        return handler

    return register


def run(kind: str, arguments: dict[str, Any]) -> None:
    HANDLERS[kind](**arguments)
