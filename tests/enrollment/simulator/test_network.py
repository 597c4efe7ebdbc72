"""The only tests of the simulator that open a port: what TLS decides cannot be played."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from enrollment.simulator.identity import Authority, Identity, name_of, new_rsa_key
from enrollment.simulator.network import Network, send
from enrollment.simulator.refusal import DeviceRefused, NoAnswer
from epmm import dev_tls

HOST = "mdm.example.test"


@dataclass
class TlsServer:
    """Answers every request with its path, and remembers what the client showed."""

    folder: Path
    port: int = 0
    names: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    peers: list[Any] = field(default_factory=list)

    @property
    def trust(self) -> Path:
        return self.folder / "ca.pem"

    def context(self) -> ssl.SSLContext:
        files = dev_tls.ensure(self.folder, host=HOST, now=datetime.now(UTC))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(files.certificate, files.key)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        return context


def handler_for(server: TlsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.hosts.append(self.headers["Host"])
            assert isinstance(self.connection, ssl.SSLSocket)
            server.peers.append(self.connection.getpeercert(binary_form=True))
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.path)))
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *args: object) -> None:
            """Silent."""

    return Handler


@pytest.fixture
def maker() -> Authority:
    return Authority.new(name_of("maker of test identities"))


@pytest.fixture
def server(tmp_path: Path, maker: Authority) -> Iterator[TlsServer]:
    wanted = TlsServer(tmp_path / "tls")
    context = wanted.context()
    (tmp_path / "clients.pem").write_bytes(maker.identity.pem)
    context.load_verify_locations(tmp_path / "clients.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    with HTTPServer(("127.0.0.1", 0), handler_for(wanted)) as http:
        http.socket = context.wrap_socket(http.socket, server_side=True)
        wanted.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield wanted
        http.shutdown()
        thread.join()


def get(network: Network, url: str, identity: Identity | None = None) -> str:
    client = network.presenting(identity) if identity else network.client
    try:
        return send(client, client.build_request("GET", url)).text
    finally:
        network.close()


def test_name_that_does_not_resolve_is_looked_for_here(server: TlsServer) -> None:
    assert get(Network(trust=server.trust), f"https://{HOST}:{server.port}/path?q=1") == "/path?q=1"

    assert server.names == [HOST]
    assert server.hosts == [f"{HOST}:{server.port}"]


def test_certificate_for_another_name_is_not_trusted(server: TlsServer) -> None:
    with pytest.raises(NoAnswer, match="certificate verify failed"):
        get(Network(trust=server.trust), f"https://other.example.test:{server.port}/")

    assert server.hosts == []


def test_development_ca_is_not_trusted_by_itself(server: TlsServer, tmp_path: Path) -> None:
    for trust in (None, tmp_path / "missing.pem"):
        with pytest.raises(NoAnswer, match="certificate verify failed"):
            get(Network(trust=trust), f"https://{HOST}:{server.port}/")


def test_name_that_resolves_is_used_as_it_is(server: TlsServer) -> None:
    assert get(Network(trust=server.trust), f"https://localhost:{server.port}/") == "/"
    assert server.names == ["localhost"]


def test_identity_is_offered_where_a_server_asks(server: TlsServer, maker: Authority) -> None:
    identity = maker.issue(name_of("device"), new_rsa_key())

    get(Network(trust=server.trust), f"https://{HOST}:{server.port}/", identity)
    get(Network(trust=server.trust), f"https://{HOST}:{server.port}/")

    assert server.peers == [identity.der, None]


@pytest.mark.parametrize("address", ["http://mdm.example.test/", "ftp://mdm.example.test/", "https:///path", "/path"])
def test_nothing_goes_out_without_tls(address: str) -> None:
    network = Network()

    with pytest.raises(DeviceRefused, match="HTTPS only"):
        get(network, address)
