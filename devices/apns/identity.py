"""The push certificate and its key, as TLS wants them."""

import secrets
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


class UnusableIdentity(Exception):
    """The push certificate and its key cannot be read, or do not belong together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushIdentity:
    certificate: bytes = field(repr=False)  # PEM; its issuers may follow
    key: bytes = field(repr=False)  # PEM, without a password


def tls_context(identity: PushIdentity, trust: Path | None = None) -> ssl.SSLContext:
    """`trust`: the CA of a laboratory's stand-in; without it, those that the system trusts."""
    context = ssl.create_default_context(cafile=trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        _load(context, identity)
    except (ValueError, TypeError, ssl.SSLError) as error:
        raise UnusableIdentity("push certificate and key cannot be used together") from error
    return context


def _load(context: ssl.SSLContext, identity: PushIdentity) -> None:
    """OpenSSL reads keys from files only: a file of ours alone, under a password that nobody else ever has."""
    password = secrets.token_bytes(32).hex().encode()
    key = load_pem_private_key(identity.key, password=None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    with tempfile.NamedTemporaryFile() as file:
        file.write(identity.certificate.rstrip() + b"\n" + locked)
        file.flush()
        context.load_cert_chain(file.name, password=password)
