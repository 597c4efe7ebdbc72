"""When the certificates end that this installation lives on."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from django.conf import settings
from django.utils import timezone

from devices.models import PushCertificate
from enrollment.services import authorities
from epmm import figures
from epmm.figures import Figure

DAY = 86_400.0


@figures.source(seconds=300)
def certificates() -> Iterator[Figure]:
    """Our own keys by purpose, `push`, and `tls` and `signing` from their files; one that cannot be read has ended."""
    for name, not_after in ends():
        yield expiry(name, not_after)


def ends() -> Iterator[tuple[str, datetime | None]]:
    for purpose, certificate in authorities.known():
        yield purpose, certificate.not_valid_after_utc
    for not_after in PushCertificate.objects.values_list("not_after", flat=True):
        yield "push", not_after
    for name, path in (("tls", settings.TLS_CERTIFICATE), ("signing", settings.SIGNING_CERTIFICATE)):
        if path is not None:
            yield name, _end_of(path)


def expiry(certificate: str, not_after: datetime | None) -> Figure:
    left = (not_after - timezone.now()).total_seconds() if not_after else 0.0
    return Figure(
        name="epmm_certificate_expiry_days",
        help="Days until a certificate ends; below zero when it has ended, 0 when it cannot be read.",
        value=round(left / DAY, 3),
        labels={"certificate": certificate},
    )


def _end_of(path: Path) -> datetime | None:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError):
        return None
