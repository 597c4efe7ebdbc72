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


async def read_body(
    scope: Scope, receive: Receive, *, limit: int, seconds: float, came: Callable[[int], None] | None = None
) -> bytes:
    """The whole body, of no more than `limit` bytes.  `came` is told how many are there, and may refuse them."""
    if _announced_length(scope) > limit:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(seconds):
            return await _whole(receive, limit, came)
    except TimeoutError as error:
        raise BodyTooSlow from error


async def respond(send: Send, status: int, body: bytes = b"", content_type: str = "", headers: Headers = ()) -> None:
    all_headers = [(b"content-length", str(len(body)).encode()), *headers]
    if content_type:
        all_headers.append((b"content-type", content_type.encode("ascii")))
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


async def _whole(receive: Receive, limit: int, came: Callable[[int], None] | None) -> bytes:
    pieces, size, more = [], 0, True
    while more:
        piece, more = await _piece(receive)
        size += len(piece)
        if size > limit:
            raise BodyTooLarge
        if came:
            came(size)
        pieces.append(piece)
    return b"".join(pieces)


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)


def _announced_length(scope: Scope) -> int:
    """Zero when it says none; that it says the truth is the server's business."""
    value: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() else 0
