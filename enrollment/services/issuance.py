"""Device identities: who gets one, and what it says.

The subject comes from the enrollment's reference, never from the request; a challenge is good for one key.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.db import transaction
from django.utils import timezone

from devices.models import Enrollment, Identity
from enrollment.models import ScepChallenge
from enrollment.services import authorities

VALID_FOR: Final = timedelta(days=365)
CHALLENGE_VALID_FOR: Final = timedelta(hours=24)  # Apple's own sign-in lies between the profile and this
SEPARATOR: Final = "."


class ChallengeRefused(Exception):
    """Unknown, expired, or used for another key.  Which of these is for the trace, not for the client."""


def new_challenge(enrollment: Enrollment) -> ScepChallenge:
    row = make_challenge(enrollment, expires_at=timezone.now() + CHALLENGE_VALID_FOR)
    row.save()
    return row


def make_challenge(enrollment: Enrollment, *, expires_at: datetime) -> ScepChallenge:
    """To be saved by whoever wants it."""
    return ScepChallenge(
        reference=secrets.token_hex(12),
        secret=secrets.token_urlsafe(24).encode(),
        enrollment=enrollment,
        expires_at=expires_at,
    )


def challenge_text(row: ScepChallenge) -> str:
    return f"{row.reference}{SEPARATOR}{bytes(row.secret).decode()}"


def find_challenge(text: str) -> ScepChallenge | None:
    """By its public part; the secret part is compared in constant time."""
    reference, _, secret = text.partition(SEPARATOR)
    readable = reference.isalnum()  # what else a stranger may send, no database need see
    row = ScepChallenge.objects.filter(reference=reference[:32]).first() if readable else None
    known = bytes(row.secret) if row is not None else b"-"
    same = hmac.compare_digest(known, secret.encode("utf-8", "replace"))
    return row if same else None


@transaction.atomic
def issue(*, challenge: str, public_key: rsa.RSAPublicKey, transaction_id: str) -> Identity:
    """The identity for this challenge: a new one, or the same again when the request is a repeat."""
    found = find_challenge(challenge)
    if found is None:
        raise ChallengeRefused
    # Nothing joined: after waiting for the lock, a join would still show what the others were before.
    row = ScepChallenge.objects.select_for_update().get(pk=found.pk)
    fingerprint = sha256(
        public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).digest()
    if row.enrollment.state == Enrollment.State.ENDED:
        raise ChallengeRefused
    if row.identity is not None:
        same_key = row.public_key_sha256 is not None and bytes(row.public_key_sha256) == fingerprint
        if same_key or row.transaction_id == transaction_id:
            return row.identity
        raise ChallengeRefused
    if row.expires_at <= timezone.now():
        raise ChallengeRefused
    row.identity = _identity(row.enrollment, row.reference, public_key)
    row.used_at = timezone.now()
    row.transaction_id = transaction_id
    row.public_key_sha256 = fingerprint
    row.save()
    return row.identity


def _identity(enrollment: Enrollment, reference: str, public_key: rsa.RSAPublicKey) -> Identity:
    certificate = _certificate(reference, public_key)
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Identity.objects.create(
        enrollment=enrollment,
        sha256=sha256(der).digest(),
        serial_number=f"{certificate.serial_number:x}",
        der=der,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _certificate(reference: str, public_key: rsa.RSAPublicKey) -> x509.Certificate:
    now = timezone.now()
    subject = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, authorities.organization()),
        x509.NameAttribute(NameOID.COMMON_NAME, reference),
    ]
    not_after = min(now + VALID_FOR, authorities.device_ca().certificate.not_valid_after_utc)
    return authorities.signed_by_ca(
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - authorities.BACKDATED)
        .not_valid_after(not_after)
        .add_extension(authorities.key_usage(authority=False, encipherment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
