"""A real mail server for tests: aiosmtpd on a port of its own, with STARTTLS, a sign-in, and moods."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from epmm import dev_tls, settings_store
from tests.ports import free_port

SENDER: Final = "epmm@mail.example.test"
USER, PASSWORD = "epmm", "hunter2 of the mail server"
OK: Final = "250 OK"


@dataclass
class Letterbox:
    """What was taken, and how the server answers."""

    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # recipient to answer
    after_data: list[str] = field(default_factory=list)  # one answer for each message, before it takes them again
    signed_in: list[str] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)
    port: int = 0
    authority: str = ""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.after_data:
            return self.after_data.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.envelopes.append((envelope.mail_from or "", envelope.rcpt_tos[0]))
        self.was_encrypted.append(session.ssl is not None)
        return OK

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        if is_right:
            self.signed_in.append(USER)
        return AuthResult(success=is_right, handled=False)


class Slow:
    """A server that is never silent for long, and never done."""

    ENOUGH: Final = 200

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.letters = 0
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        caller, _address = self._listener.accept()
        with caller, suppress(OSError):
            for answer in (b"220 slow", b"250 slow"):
                caller.sendall(answer + b"\r\n")
                caller.recv(1024)
            caller.recv(1024)
            while self.letters < self.ENOUGH:
                caller.sendall(b"2")
                self.letters += 1
                time.sleep(0.02)


@contextmanager
def open_server(directory: Path, *, security: str = "none", asks: bool = False) -> Iterator[Letterbox]:
    box = Letterbox(port=free_port())
    files = dev_tls.ensure(directory, host="localhost", now=datetime.now(UTC))
    box.authority = files.ca.read_text()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    options: dict[str, Any] = {}
    if security == "starttls":
        options = {"tls_context": context, "require_starttls": True}
    if asks:
        options |= {"auth_required": True, "authenticator": box.authenticate, "auth_require_tls": security != "tls"}
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=box.port,
        ssl_context=context if security == "tls" else None,
        server_hostname="mail.example.test",
        ready_timeout=60,
        **options,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def use(box: Letterbox, *, security: str = "none", host: str = "localhost", **changes: str) -> None:
    """The settings that lead to it."""
    settings = {"host": host, "port": str(box.port), "security": security, "from": SENDER, **changes}
    for name, value in settings.items():
        settings_store.change(f"mail.{name}", value, actor="tests")
