import socket
import ssl
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from epmm import dev_tls
from epmm.dev_tls import ServerFiles

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "mdm.example.test"


def certificates(files: ServerFiles) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(files.certificate.read_bytes())


def handshake(files: ServerFiles, *, name: str, trust: ssl.SSLContext) -> None:
    """One TLS connection with the files on the server's side; raises what the client's library raises."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.certificate, files.key)
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:  # the client has refused us, and says so itself
            theirs.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        trust.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        thread.join()


def strict_trust(files: ServerFiles) -> ssl.SSLContext:
    trust = ssl.create_default_context(cafile=files.ca)
    trust.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    return trust


@pytest.mark.parametrize("name", [HOST, "localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_the_authority_accepts_the_server(tmp_path: Path, name: str) -> None:
    files = dev_tls.ensure(tmp_path / "tls", host=HOST, now=NOW)

    handshake(files, name=name, trust=strict_trust(files))


def test_another_host_is_refused(tmp_path: Path) -> None:
    files = dev_tls.ensure(tmp_path, host=HOST, now=NOW)

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(files, name="other.example.test", trust=strict_trust(files))


@pytest.mark.parametrize("host", [HOST, "192.0.2.7", "2001:db8::7", "a" * 60 + ".example.test"])
def test_any_host_of_a_public_url_can_be_named(tmp_path: Path, host: str) -> None:
    files = dev_tls.ensure(tmp_path, host=host, now=NOW)

    handshake(files, name=host, trust=strict_trust(files))


@pytest.mark.service("openssl")
def test_openssl_agrees(tmp_path: Path) -> None:
    files = dev_tls.ensure(tmp_path, host=HOST, now=NOW)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", HOST]

    said = subprocess.run(
        [*command, "-CAfile", files.ca, files.certificate], capture_output=True, text=True, check=True
    )

    assert said.stdout == f"{files.certificate}: OK\n"


def test_apple_s_limits_are_kept(tmp_path: Path) -> None:
    server, authority = certificates(dev_tls.ensure(tmp_path, host=HOST, now=NOW))

    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=397)
    assert authority.not_valid_after_utc - NOW == timedelta(days=3650)
    key = server.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_private_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    files = dev_tls.ensure(tmp_path / "tls", host=HOST, now=NOW)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.key": 0o600, "server.key": 0o600, "ca.pem": 0o644, "server.pem": 0o644}
    assert stat.S_IMODE(files.key.parent.stat().st_mode) == 0o700


def contents(files: ServerFiles) -> tuple[bytes, bytes, bytes]:
    return files.certificate.read_bytes(), files.key.read_bytes(), files.ca.read_bytes()


def test_a_later_start_changes_nothing(tmp_path: Path) -> None:
    before = contents(dev_tls.ensure(tmp_path, host=HOST, now=NOW))
    long_after = NOW + timedelta(days=dev_tls.SERVER_DAYS - dev_tls.RENEW_DAYS)

    assert contents(dev_tls.ensure(tmp_path, host=HOST, now=long_after)) == before


@pytest.mark.parametrize(
    ("host", "later"),
    [
        ("new.example.test", timedelta()),
        (HOST, timedelta(days=dev_tls.SERVER_DAYS - dev_tls.RENEW_DAYS, seconds=1)),
    ],
    ids=["another host", "near its end"],
)
def test_a_certificate_that_will_not_do_is_replaced_and_the_authority_kept(
    tmp_path: Path, host: str, later: timedelta
) -> None:
    files = dev_tls.ensure(tmp_path, host=HOST, now=NOW)
    old_server, old_authority = certificates(files)
    server, authority = certificates(dev_tls.ensure(tmp_path, host=host, now=NOW + later))

    assert authority == old_authority
    assert server.serial_number != old_server.serial_number
    assert server.not_valid_before_utc <= NOW + later <= server.not_valid_after_utc


@pytest.mark.parametrize("damaged", ["server.pem", "server.key", "ca.pem", "ca.key"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN"], ids=["missing", "empty", "cut short"])
def test_damage_heals_at_the_next_start(tmp_path: Path, damaged: str, content: bytes | None) -> None:
    files = dev_tls.ensure(tmp_path, host=HOST, now=NOW)
    if content is None:
        (tmp_path / damaged).unlink()
    else:
        (tmp_path / damaged).write_bytes(content)
    dev_tls.ensure(tmp_path, host=HOST, now=NOW)

    handshake(files, name=HOST, trust=strict_trust(files))


def test_a_pair_of_two_minds_is_made_again(tmp_path: Path) -> None:
    """As a crash between the two writes leaves it."""
    files = dev_tls.ensure(tmp_path, host=HOST, now=NOW)
    other = dev_tls.ensure(tmp_path / "other", host=HOST, now=NOW)
    files.key.write_bytes(other.key.read_bytes())
    dev_tls.ensure(tmp_path, host=HOST, now=NOW)

    handshake(files, name=HOST, trust=strict_trust(files))


def test_what_was_made_under_a_wrong_clock_is_made_again(tmp_path: Path) -> None:
    dev_tls.ensure(tmp_path, host=HOST, now=NOW + timedelta(days=30))
    files = dev_tls.ensure(tmp_path, host=HOST, now=NOW)

    handshake(files, name=HOST, trust=strict_trust(files))


def test_an_authority_that_would_end_before_its_server_is_replaced(tmp_path: Path) -> None:
    old = certificates(dev_tls.ensure(tmp_path, host=HOST, now=NOW - timedelta(days=3300)))[1]
    files = dev_tls.ensure(tmp_path, host=HOST, now=NOW)

    assert certificates(files)[1].subject != old.subject
    handshake(files, name=HOST, trust=strict_trust(files))
