import errno
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from epmm import listening
from tests.ports import free_port


def test_one_address() -> None:
    port = free_port()
    sockets = listening.listen("127.0.0.1", port)
    try:
        assert [each.getsockname() for each in sockets] == [("127.0.0.1", port)]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    finally:
        listening.close(sockets)


def test_every_address_without_mixing_the_families() -> None:
    port = free_port()
    sockets = listening.listen(None, port)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            listener = next(each for each in sockets if each.family == socket.AF_INET)
            accepted, caller = listener.accept()
            accepted.close()
        assert caller[0] == "127.0.0.1"
    finally:
        listening.close(sockets)


def test_a_unix_socket_takes_the_place_of_a_dead_one_only() -> None:
    with tempfile.TemporaryDirectory() as directory:  # its name is short: a socket's has 107 bytes at most
        path = Path(directory) / "door"
        listening.close(listening.listen_at(f"unix:{path}"))
        living = listening.listen_at(f"unix:{path}")
        with pytest.raises(OSError, match="in use"):
            listening.listen_at(f"unix:{path}")
        listening.close(living)
        path.unlink()
        path.write_text("precious")
        with pytest.raises(OSError, match="in use"):
            listening.listen_at(f"unix:{path}")

        assert path.read_text() == "precious"


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "[127.0.0.1]:{}"])
def test_a_place_is_a_host_and_a_port(form: str) -> None:
    port = free_port()
    sockets = listening.listen_at(form.format(port))
    listening.close(sockets)

    assert len(sockets) == 1


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use") as refused:
        listening.listen("127.0.0.1", other.getsockname()[1])

    assert refused.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize(
    ("families", "opened"),
    [([socket.AF_INET, socket.AF_INET6], [socket.AF_INET]), ([socket.AF_INET6], None)],
    ids=["one is left", "none is left"],
)
def test_a_machine_without_ipv6(
    monkeypatch: pytest.MonkeyPatch, families: Sequence[socket.AddressFamily], opened: list[socket.AddressFamily] | None
) -> None:
    found = [(family, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)) for family in families]
    create_server = socket.create_server

    def without_ipv6(address: Any, *, family: socket.AddressFamily, backlog: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return create_server(address, family=family, backlog=backlog)

    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr("socket.create_server", without_ipv6)

    if opened is None:
        with pytest.raises(OSError, match="no such family"):
            listening.listen(None, 0)
    else:
        sockets = listening.listen(None, 0)
        assert [each.family for each in sockets] == opened
        listening.close(sockets)
