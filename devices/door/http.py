"""The little of HTTP that the door needs, between it and the ASGI server."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from devices.door.exchange import Answer

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of anything is taken at once.  What is more is turned away; a device comes again by itself."""

    body: int = 16 << 20  # InstalledApplicationList and CertificateList reach hundreds of kilobytes
    large_body: int = 64 << 10  # larger ones are read in a thread
    large_bodies: int = 8
    requests: int = 256
    body_seconds: float = 60
    store_seconds: float = 10


async def read_body(scope: Scope, receive: Receive, limits: Limits, on_large: Callable[[], object]) -> bytes:
    """The whole body.  `on_large` is asked once, before a large one is held, and may raise."""
    announced = announced_length(scope)
    if announced > limits.body:
        raise BodyTooLarge
    body = bytearray()
    if is_large := announced > limits.large_body:
        on_large()
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                body += message.get("body", b"")
                if len(body) > limits.body:
                    raise BodyTooLarge
                if len(body) > limits.large_body and not is_large:
                    is_large = True
                    on_large()
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError as error:
        raise BodyTooSlow from error


def announced_length(scope: Scope) -> int:
    """Zero when it says none; that it says the truth is the server's business."""
    value: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() else 0


async def respond(send: Send, answer: Answer, headers: Headers = ()) -> None:
    """Zero bytes stay zero bytes: an empty property list would be something else to a device."""
    all_headers = [(b"content-length", str(len(answer.body)).encode()), *headers]
    if answer.content_type:
        all_headers.append((b"content-type", answer.content_type.encode("ascii")))
    await send({"type": "http.response.start", "status": answer.status, "headers": all_headers})
    await send({"type": "http.response.body", "body": answer.body})
