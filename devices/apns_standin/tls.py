"""TLS on the server's side.  asyncio's own closes without the alert that tells a client what is wrong with it."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from cryptography import x509

from epmm.dev_tls import ServerFiles

_LINGER_SECONDS: Final = 1.0  # an alert is lost when the socket closes over bytes that nobody read
_CHUNK: Final = 1 << 16


def server_context(files: ServerFiles, *, clients: Path) -> ssl.SSLContext:
    """A client may show no certificate, as at APNs; one that it shows must be signed by `clients`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(clients)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["h2"])
    return context


class TlsServerProtocol(asyncio.Protocol, ABC):
    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._secured = self._refused = False

    @abstractmethod
    def on_secured(self) -> None:
        """The handshake is done, and both sides speak HTTP/2."""

    @abstractmethod
    def on_data(self, data: bytes) -> None: ...

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._incoming.write(data)
        try:
            if self._secured or self._shake_hands():
                self._read()
        except ssl.SSLWantReadError:
            self._flush_tls()
        except ssl.SSLError:  # the alert is in the outgoing bytes
            self.hang_up()

    def send(self, data: bytes) -> None:
        if not self._transport.is_closing() and not self._refused:
            self._tls.write(data)
            self._flush_tls()

    def hang_up(self) -> None:
        """Say what is left to say, and leave."""
        self._refused = True
        self._flush_tls()
        if not self._transport.is_closing():
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.abort)

    def cut(self) -> None:
        self._refused = True
        self._transport.abort()

    def peer(self) -> x509.Certificate | None:
        der = self._tls.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der) if der else None

    def _shake_hands(self) -> bool:
        self._tls.do_handshake()
        self._flush_tls()
        self._secured = self._tls.selected_alpn_protocol() == "h2"
        if self._secured:
            self.on_secured()
        else:  # there is no HTTP/1.1 at APNs
            self.hang_up()
        return self._secured

    def _read(self) -> None:
        while not self._refused:
            data = self._tls.read(_CHUNK)
            if not data:  # close_notify
                self.hang_up()
            self.on_data(data)

    def _flush_tls(self) -> None:
        if (data := self._outgoing.read()) and not self._transport.is_closing():
            self._transport.write(data)
