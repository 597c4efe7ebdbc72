"""Asks our own gateway whether it answers, as the supervisor does before it says so."""

import asyncio
import socket
import ssl
from typing import Final

PAUSE_SECONDS: Final = 0.25
TIMEOUT_SECONDS: Final = 10.0
_ANY_TO_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what we replace


async def until_answering(listener: socket.socket, *, host: str) -> None:
    """Return when `/healthz` says 200.  A request waits in the listener's backlog while the gateway starts."""
    address, port = listener.getsockname()[:2]
    while True:
        if await _answers(_ANY_TO_LOOPBACK.get(address, address), port, host=host):
            return
        await asyncio.sleep(PAUSE_SECONDS)


async def _answers(address: str, port: int, *, host: str) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _status(address, port, host=host) == b"200"
    except (OSError, TimeoutError):  # ssl.SSLError is an OSError
        return False


async def _status(address: str, port: int, *, host: str) -> bytes:
    reader, writer = await asyncio.open_connection(address, port, ssl=_without_trust())
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        words = (await reader.readline()).split()
        return words[1] if len(words) > 1 else b""
    finally:
        writer.close()


def _without_trust() -> ssl.SSLContext:
    """For the question "does it run?" only: nothing secret is said, and the operator's chain may end elsewhere."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
