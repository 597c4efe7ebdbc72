"""Pushes in, outcomes out; which connections that takes is nobody else's business."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from devices.apns.connection import Connection, Limits
from devices.apns.ending import BROKEN, SHUT_DOWN, TIMEOUT, End, read_failure
from devices.apns.identity import PushIdentity, tls_context
from devices.apns.request import Batch, Request
from devices.protocol.push import Outcome, Push, Verdict

_BARREN: Final = 2  # connections in a row that answered nothing: the next one would not either
CALL_SECONDS: Final = 300.0  # time for a million, and half of what the broker waits before it rings again
_CLOSING_SECONDS: Final = 2.0
_HTTPS: Final = 443
_HAPPY_EYEBALLS: Final = 0.25  # RFC 8305

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    host: str = "api.push.apple.com"
    port: int = _HTTPS
    trust: Path | None = None  # the CA of a laboratory's stand-in

    @property
    def authority(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == _HTTPS else f"{host}:{self.port}").encode()


class ApnsClient:
    """Belongs to one event loop.  Any number of `push` calls share the connection and its queue."""

    def __init__(self, identity: PushIdentity, server: Server | None = None, limits: Limits | None = None) -> None:
        self._server = server or Server()
        self._limits = limits or Limits()
        self._tls = tls_context(identity, self._server.trust)
        self._waiting: deque[Request] = deque()
        self._connection: Connection | None = None  # the one that takes requests
        self._connections: set[Connection] = set()  # and those that still answer some
        self._connecting: asyncio.Task[None] | None = None
        self._barren = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def push(self, pushes: Sequence[Push], *, seconds: float = CALL_SECONDS) -> list[Outcome]:
        """One outcome for each push, in their order; what has none after `seconds` is to be tried later."""
        batch = Batch(pushes)
        self._waiting.extend(request for request in batch.requests if request.outcome is None)
        if self._connecting is None:
            self._barren = 0
        self._go_on()
        try:
            async with asyncio.timeout(seconds):
                await batch.done
        except TimeoutError:
            pass
        finally:
            batch.give_up(TIMEOUT.reason)
        return batch.outcomes()

    async def close(self) -> None:
        self._closed = True
        if self._connecting:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        self._settle(SHUT_DOWN)
        for connection in list(self._connections):
            try:
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await connection.close()
            except TimeoutError:
                connection.abort(SHUT_DOWN)
                await connection.closed

    def _go_on(self, *, delay: float = 0) -> None:
        if self._closed:
            self._settle(SHUT_DOWN)
        elif self._connection:
            self._connection.pull()
        elif self._waiting and self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect(delay))

    async def _connect(self, delay: float) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(delay)
                if await self._dial():
                    break
                delay = self._limits.backoff_seconds
        except Exception:
            logger.exception("no connection to APNs")
            self._settle(End(reason="internal error"))  # or their callers would wait for ever
        finally:
            self._connecting = None
        self._go_on()

    async def _dial(self) -> bool:
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                connection = await self._open()
        except (OSError, UnicodeError) as error:  # TLS and time-outs too; a name that is none
            self._fail(read_failure(error))
            return False
        if not connection.usable:  # ended at once
            self._fail(connection.end)
            return False
        self._connection = connection
        return True

    async def _open(self) -> Connection:
        """The name is looked up anew each time: Apple moves its servers."""
        transport, connection = await asyncio.get_running_loop().create_connection(
            self._new_connection,
            self._server.host,
            self._server.port,
            ssl=self._tls,
            happy_eyeballs_delay=_HAPPY_EYEBALLS,
            ssl_shutdown_timeout=_CLOSING_SECONDS,
        )
        self._connections.add(connection)
        connection.closed.add_done_callback(lambda _: self._connections.discard(connection))
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            connection.abort(BROKEN)
        return connection

    def _new_connection(self) -> Connection:
        return Connection(
            authority=self._server.authority, waiting=self._waiting, limits=self._limits, orphaned=self._take_back
        )

    def _take_back(self, connection: Connection, requests: Sequence[Request], end: End) -> None:
        """What a connection could not bring to an answer is tried once more; pushes may arrive twice without harm."""
        if end.kind is Verdict.BAD_CERTIFICATE:
            _put_off(requests, end)
            self._settle(end)
        for request in reversed(requests):
            if request.tried:
                request.put_off(end.reason)
            elif request.outcome is None:
                request.start_again()
                self._waiting.appendleft(request)
        if self._connection is connection and not connection.usable:
            self._connection = None
            if connection.answered or connection.busy:
                self._barren = 0
                self._note(end)
            else:
                self._fail(end)
        self._go_on(delay=0 if end.orderly and connection.answered else self._limits.backoff_seconds)

    def _fail(self, end: End) -> None:
        self._note(end)
        self._barren += 1
        if self._barren >= _BARREN or end.kind is Verdict.BAD_CERTIFICATE:
            self._settle(end)

    def _settle(self, end: End) -> None:
        _put_off(self._waiting, end)
        self._waiting.clear()

    def _note(self, end: End) -> None:
        logger.log(logging.INFO if end.orderly else logging.WARNING, "connection to APNs ended: %s", end.reason)


def _put_off(requests: Iterable[Request], end: End) -> None:
    for request in requests:
        request.put_off(end.reason, end.kind)
