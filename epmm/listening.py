"""The sockets of the gateway, opened by the supervisor: a port that is taken is known before anything starts."""

import contextlib
import errno
import socket
import stat
from pathlib import Path
from typing import Final

BACKLOG: Final = 2048
_ADDRESS_NOT_HERE: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def listen(host: str | None, port: int) -> list[socket.socket]:
    """One socket for each address of the host; without a host, all of IPv4 and, where there is one, all of IPv6.

    Not one socket for both families: behind it every IPv4 caller would look like ::ffff:192.0.2.1.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
        try:
            sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
        except OSError as error:
            if error.errno not in _ADDRESS_NOT_HERE:
                close(sockets)
                raise
            missing = error
    if missing and not sockets:
        raise missing
    return sockets


def listen_at(place: str) -> list[socket.socket]:
    """`unix:PATH`, `HOST:PORT` or `[ADDRESS]:PORT`; whoever may write to the file may connect."""
    if not place.startswith("unix:"):
        host, _, port = place.rpartition(":")
        return listen(host.strip("[]") or None, int(port))
    path = place.removeprefix("unix:")
    _clear_away(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return [listener]


def _clear_away(path: str) -> None:
    """What a process left that was killed; not the socket of one that lives, and no other file."""
    with socket.socket(socket.AF_UNIX) as caller, contextlib.suppress(FileNotFoundError):
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            if stat.S_ISSOCK(Path(path).stat().st_mode):
                Path(path).unlink()


def close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()
