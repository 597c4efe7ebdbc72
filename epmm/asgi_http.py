"""The little of ASGI's HTTP that both doors need."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


class BodyTooLarge(Exception):
    pass


class BodyTooSlow(Exception):
    pass


class Disconnected(Exception):
    """The caller hung up; nobody waits for an answer."""


async def read_body(scope: Scope, receive: Receive, *, check: Callable[[int], None], seconds: float) -> bytes:
    """The whole body.  `check` is told its size, as announced and as it grows, and raises when that is too much.

    The clock runs from the first piece on: who sends none holds a connection, as one does who sends no headers.
    """
    check(_announced_length(scope))
    first, more = await _piece(receive)
    check(size := len(first))
    if not more:  # nearly always
        return first
    pieces = [first]
    try:
        async with asyncio.timeout(seconds):
            while more:
                piece, more = await _piece(receive)
                check(size := size + len(piece))
                pieces.append(piece)
    except TimeoutError as error:
        raise BodyTooSlow from error
    return b"".join(pieces)


async def respond(send: Send, status: int, body: bytes = b"", content_type: str = "", headers: Headers = ()) -> None:
    all_headers = [(b"content-length", str(len(body)).encode()), *headers]
    if content_type:
        all_headers.append((b"content-type", content_type.encode("ascii")))
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)


def _announced_length(scope: Scope) -> int:
    """Zero when it says none; that it says the truth is the server's business."""
    value: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() else 0
