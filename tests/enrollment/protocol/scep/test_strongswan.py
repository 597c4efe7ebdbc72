"""strongSwan's `pki --scep`, a client written by others, gets a certificate over HTTP."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from enrollment.protocol.scep.attributes import MessageType
from enrollment.protocol.scep.authority import RegistrationAuthority
from enrollment.protocol.scep.ciphers import ContentCipher
from enrollment.protocol.scep.errors import FailInfo, ScepFailure
from enrollment.protocol.scep.reply import CAPABILITIES, ca_bundle, failure, success
from enrollment.protocol.scep.request import ScepRequest, read_message, read_request
from tests import pki

pytestmark = pytest.mark.service("pki")

CHALLENGE = "one-time-challenge"


@dataclass
class Responder:
    """The smallest server there can be: one challenge, every renewal."""

    ca: pki.Identity
    ra: RegistrationAuthority
    accepted: list[ScepRequest] = field(default_factory=list)

    def get(self, query: str) -> bytes:
        if "GetCACaps" in query:
            return CAPABILITIES.encode()
        return ca_bundle(self.ra.certificate, self.ca.certificate)

    def answer(self, raw: bytes) -> bytes:
        message = read_message(raw)
        try:
            request = read_request(message, ra=self.ra, allow_legacy=False)
        except ScepFailure as refusal:
            return failure(message.transaction, refusal.fail_info, ra=self.ra)
        if request.message_type is MessageType.PKCS_REQ and request.csr.challenge_password != CHALLENGE:
            return failure(message.transaction, FailInfo.BAD_REQUEST, ra=self.ra)
        self.accepted.append(request)
        return success(request, issue(self.ca, request.csr.public_key), ra=self.ra)


def issue(ca: pki.Identity, public_key: RSAPublicKey) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "enrollment reference")]))
        .issuer_name(ca.certificate.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(pki.LONG_AGO)
        .not_valid_after(pki.FAR_AWAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(ca.key, SHA256())
    )


@pytest.fixture
def responder(ca: pki.Identity, ra: RegistrationAuthority) -> Responder:
    return Responder(ca=ca, ra=ra)


@pytest.fixture
def url(responder: Responder) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(responder.get(self.path))

        def do_POST(self) -> None:
            self.reply(responder.answer(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server names it
            """Nothing: the test says what went wrong."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/scep"
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Strongswan:
    """The client with its files."""

    directory: Path
    url: str

    @property
    def ca(self) -> Path:
        return self.directory / "ca.der"

    @property
    def ra(self) -> Path:
        return self.directory / "ra.der"

    def key(self, number: int) -> Path:
        path = self.directory / f"{number}.der"
        der = pki.rsa_key(number=number).private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        path.write_bytes(der)
        return path

    def fetch_authorities(self) -> subprocess.CompletedProcess[bytes]:
        return self._run("--scepca", "--caout", self.ca, "--raout", self.ra)

    def enroll(self, key: Path, *options: str | Path) -> subprocess.CompletedProcess[bytes]:
        known: list[str | Path] = ["--cacert-enc", self.ra, "--cacert-sig", self.ra, "--cacert", self.ca]
        return self._run("--scep", "--in", key, "--dn", "CN=device", *known, *options)

    def _run(self, command: str, *options: str | Path) -> subprocess.CompletedProcess[bytes]:
        arguments = ["pki", command, "--url", self.url, *options]
        return subprocess.run(arguments, capture_output=True, timeout=60, check=False)


@pytest.fixture
def strongswan(tmp_path: Path, url: str) -> Strongswan:
    client = Strongswan(tmp_path, url)
    client.fetch_authorities().check_returncode()
    return client


def test_authorities(strongswan: Strongswan, ca: pki.Identity, registrar: pki.Identity) -> None:
    assert strongswan.ca.read_bytes() == ca.der
    assert strongswan.ra.read_bytes() == registrar.der


@pytest.mark.parametrize(
    ("options", "cipher", "digest"),
    [
        ([], ContentCipher.AES_128, "sha256"),
        (["--cipher", "des3", "--digest", "sha1"], ContentCipher.TRIPLE_DES, "sha1"),
        (["--digest", "sha512"], ContentCipher.AES_128, "sha512"),
    ],
)
def test_certificate(
    strongswan: Strongswan, responder: Responder, options: list[str], cipher: ContentCipher, digest: str
) -> None:
    result = strongswan.enroll(strongswan.key(30), "--password", CHALLENGE, *options)

    assert result.returncode == 0, result.stderr
    issued = x509.load_der_x509_certificate(result.stdout)
    assert issued.public_key() == pki.rsa_key(number=30).public_key()
    (request,) = responder.accepted
    assert (request.content_cipher, request.digest) == (cipher, digest)


def test_failure_is_understood(strongswan: Strongswan, responder: Responder) -> None:
    result = strongswan.enroll(strongswan.key(30), "--password", "of another day")

    assert result.returncode != 0
    assert b"badRequest" in result.stderr
    assert not responder.accepted


def test_renewal(strongswan: Strongswan, responder: Responder, ca: pki.Identity) -> None:
    old = strongswan.directory / "old.der"
    old.write_bytes(issue(ca, pki.rsa_key(number=30).public_key()).public_bytes(Encoding.DER))

    result = strongswan.enroll(strongswan.key(31), "--cert", old, "--key", strongswan.key(30))

    assert result.returncode == 0, result.stderr
    assert x509.load_der_x509_certificate(result.stdout).public_key() == pki.rsa_key(number=31).public_key()
    (request,) = responder.accepted
    assert request.message_type is MessageType.RENEWAL_REQ
    assert request.signer_certificate == old.read_bytes()
