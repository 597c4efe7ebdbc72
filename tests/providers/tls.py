"""A CA of the tests for those whom our server calls, certificates under it, and the end of TLS before who has none."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from tests import pki


@dataclass(frozen=True, slots=True)
class Authority:
    identity: pki.Identity

    def write(self, directory: Path) -> Path:
        path = directory / "ca.pem"
        path.write_bytes(self.identity.pem)
        return path


@cache
def authority() -> Authority:
    return Authority(pki.issue("Outbound CA of the tests", ca=True, key=pki.ec_key(number=70)))


def server_context(name: str, directory: Path) -> ssl.SSLContext:
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))])
    server = pki.issue(name, issuer=authority().identity, key=pki.ec_key(number=71), extensions=[(names, False)])
    path = directory / f"{name}.pem"
    path.write_bytes(server.key_pem + server.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@contextmanager
def in_front_of(
    connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]],
    port: int,
    context: ssl.SSLContext,
) -> Iterator[None]:
    """What a web server in front of it would do."""
    loop = asyncio.new_event_loop()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ssl.SSLError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        with suppress(OSError, RuntimeError, ssl.SSLError):
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await connect()
        await asyncio.gather(carry(reader, back), carry(there, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", port, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
