"""The push certificate as the push service needs it."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from devices.models import PushCertificate

CACHE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PushCredentials:
    """It may have expired: Apple's push service then refuses it, and `doctor` says what to do."""

    topic: str
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    not_after: datetime
    sha256: bytes


class _Cache:
    """What this process read last; the key is opened only when another certificate has been installed."""

    def __init__(self) -> None:
        self._known: PushCredentials | None = None
        self._until = 0.0

    def current(self) -> PushCredentials | None:
        """None as long as none is installed; one small query a second, however often it is asked."""
        if time.monotonic() >= self._until:
            installed = PushCertificate.objects.values_list("sha256", flat=True).first()
            if installed is None or self._known is None or bytes(installed) != self._known.sha256:
                self._known = None if installed is None else _credentials()
            self._until = time.monotonic() + CACHE_SECONDS
        return self._known

    def clear(self) -> None:
        self._until = 0.0


_cache = _Cache()
current = _cache.current
clear_cache = _cache.clear


def _credentials() -> PushCredentials | None:
    row = PushCertificate.objects.first()
    if row is None:
        return None
    key = load_der_private_key(bytes(row.private_key), password=None)
    return PushCredentials(
        topic=row.topic,
        certificate_pem=x509.load_der_x509_certificate(bytes(row.certificate)).public_bytes(Encoding.PEM),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        not_after=row.not_after,
        sha256=bytes(row.sha256),
    )
