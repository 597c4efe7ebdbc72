"""The little of ASGI's HTTP that both doors need."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

_TOO_SLOW = "too slow"


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
    task: asyncio.Task[Any] | None = asyncio.current_task()
    assert task is not None  # noqa: S101 -- a coroutine runs in one
    timer = asyncio.get_running_loop().call_later(seconds, task.cancel, _TOO_SLOW)  # half of what asyncio.timeout costs
    try:
        return await _whole(receive, limit, came)
    except asyncio.CancelledError as error:
        if error.args != (_TOO_SLOW,) or task.uncancel():
            raise
        raise BodyTooSlow from error
    finally:
        timer.cancel()


async def respond(send: Send, status: int, body: bytes = b"", content_type: str = "", headers: Headers = ()) -> None:
    all_headers = [(b"content-length", str(len(body)).encode()), *headers]
    if content_type:
        all_headers.append((b"content-type", content_type.encode("ascii")))
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


async def _whole(receive: Receive, limit: int, came: Callable[[int], None] | None) -> bytes:
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
        size += len(pieces[-1])
        if size > limit:
            raise BodyTooLarge
        if came:
            came(size)
    return b"".join(pieces)


def _announced_length(scope: Scope) -> int:
    """Zero when it says none; that it says the truth is the server's business."""
    value: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() else 0
