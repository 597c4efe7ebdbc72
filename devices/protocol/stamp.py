"""A rendered command without its UUID, so that one rendering serves however many devices it is sent to."""

from typing import Final
from uuid import UUID

NOBODY: Final = UUID(int=0)
_PLACE: Final = str(NOBODY).encode()


def stamp(rendered: bytes, command: UUID) -> bytes:
    """Put the UUID where `render(request, NOBODY)` left its place: `CommandUUID` is the first key."""
    return rendered.replace(_PLACE, str(command).upper().encode(), 1)
