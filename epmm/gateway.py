"""The processes that answer: `gateway` for devices, `web` for everyone else, or both doors on one TLS port.

They serve sockets that somebody else opened and keeps, systemd or the supervisor of `manage.py up`.  So one that ended
refuses nobody: callers wait in the sockets' backlog until the next one accepts them.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

import uvicorn
from uvicorn.importer import import_from_string

from epmm import bootstrap, collector, lifeline, metrics_files
from epmm.asgi_http import Receive, Scope, Send
from epmm.client_address import UNIX
from epmm.direct import DirectProtocol, DirectRequest
from epmm.listening import BACKLOG
from epmm.patience import allow_descriptors

GRACE_SECONDS: Final = 10  # below the supervisor's: an exchange with a device takes milliseconds
KEEP_ALIVE_SECONDS: Final = 30  # a new TLS connection costs more than anything a device asks for
KEEP_ALIVE_BEHIND_PROXY: Final = 75  # longer than the proxy keeps one: who closes first must not be we
LINGER_SECONDS: Final = 1.0
BOTH: Final = "epmm.asgi:application"
DEVICES: Final = "epmm.asgi:devices_only"
FRONT: Final = "epmm.asgi:front_only"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve both doors; started by manage.py up.")
    parser.add_argument("--fd", type=int, action="append", required=True, help="an open listening socket")
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args(arguments)
    collector.go_easy()
    lifeline.hold()
    metrics_files.begin("gateway", bootstrap.data_dir() / "metrics")
    configured = configuration(BOTH, ssl_certfile=options.certificate, ssl_keyfile=options.key)
    _run(uvicorn.Server(configured), [socket.socket(fileno=number) for number in options.fd])


def serve_behind_proxy(application: str, sockets: Sequence[socket.socket]) -> None:
    """Until SIGTERM; returns when what was begun is answered."""
    on_unix = {each.family == socket.AF_UNIX for each in sockets}
    if len(on_unix) != 1:
        raise ValueError("Unix sockets or ports, not both: who is behind a Unix socket is known by the socket alone")
    behind = BehindProxy(import_from_string(application), on_unix=on_unix.pop())
    _run(Draining(configuration(behind, timeout_keep_alive=KEEP_ALIVE_BEHIND_PROXY)), sockets)


def _run(server: uvicorn.Server, sockets: Sequence[socket.socket]) -> None:
    """uvicorn ends by the signal that it drained for; here that is a regular end, with the last lines of the log."""
    allow_descriptors()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run(sockets=list(sockets))


class BehindProxy:
    """The proxy ended TLS; and of whoever is behind a Unix socket there is no other address."""

    def __init__(self, application: Any, *, on_unix: bool) -> None:
        self._application = application
        self._changes: dict[str, Any] = {"scheme": "https"} | ({"client": (UNIX, 0)} if on_unix else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.update(self._changes)
        await self._application(scope, receive, send)

    @property
    def takes_directly(self) -> bool:
        return bool(self._application.takes_directly)

    def serve(self, request: DirectRequest) -> None:
        if "client" in self._changes:
            request.peer = UNIX
        self._application.serve(request)


class Draining(uvicorn.Server):
    """Before it ends, it takes no new connection, and for a moment still answers on those that proxies keep open."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)


def configuration(application: Any, **options: Any) -> uvicorn.Config:
    settings: dict[str, Any] = {
        "loop": "uvloop",
        "http": DirectProtocol,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,  # Django's settings say how to log
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # whom to believe is EPMM_TRUSTED_PROXIES, which the doors read
        "backlog": BACKLOG,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "ssl_ciphers": "ECDHE+AESGCM:ECDHE+CHACHA20",  # App Transport Security asks for forward secrecy
    }
    return uvicorn.Config(application, **settings | options)


def inherited() -> list[socket.socket]:
    """The sockets that systemd opened (sd_listen_fds(3)): from descriptor 3 on, and meant for this process."""
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return []
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    return [socket.socket(fileno=number) for number in range(3, 3 + count)]


if __name__ == "__main__":
    main()
