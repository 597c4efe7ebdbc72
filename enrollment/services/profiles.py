"""Enrollment profiles: delivered for an access token, or renewed for a standing enrollment."""

from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.db import transaction

from devices.models import Device, Enrollment
from devices.services import push_topics
from enrollment import reasons
from enrollment.models import AccessToken, Attempt, ScepChallenge, Step
from enrollment.protocol.profile import EnrollmentProfile, Scep
from enrollment.services import authorities, issuance, policy, tokens, trace
from epmm import options, settings_store
from epmm.wire import cms

CONTENT_TYPE: Final = "application/x-apple-aspen-config"


class TokenRefused(Exception):
    """The device is to sign in again: 401 with a new challenge."""


def profile_identifier() -> str:
    return ".".join([*reversed(settings.PUBLIC_HOST.split(".")), "enrollment"])


def deliver(*, token: str, reference: str, facts: policy.Facts) -> bytes:
    """The profile for whoever holds the token; the same one again after a lost answer.

    Raises TokenRefused, or policy.Refused when the person may no longer enroll.
    """
    try:
        with transaction.atomic():
            profile = _deliver(token, reference, facts)
    except TokenRefused:
        trace.step(trace.find(reference), Step.PROFILE, result=trace.REFUSED, reason=reasons.TOKEN_REFUSED)
        raise
    except policy.Refused as refused:
        found = trace.find(reference)
        trace.step(found, Step.PROFILE, result=trace.REFUSED, reason=refused.reason, **refused.details)
        raise
    return sign(profile)  # after the transaction: it takes a while, and may fail


def _deliver(token: str, reference: str, facts: policy.Facts) -> bytes:
    row = tokens.locked(token, kind=facts.kind, reference=reference)
    if row is None:
        raise TokenRefused
    policy.require(row.user, facts)
    enrollment = row.enrollment or _begin(row, facts)
    challenge = enrollment.scep_challenges.order_by("pk").last() or issuance.new_challenge(enrollment)
    trace.step(row.attempt, Step.PROFILE)
    trace.move(row.attempt, Attempt.State.WAITING_FOR_APPLE, enrollment=enrollment)
    return render(enrollment, challenge)


def _begin(row: AccessToken, facts: policy.Facts) -> Enrollment:
    enrollment = Enrollment.objects.create(
        device=row.device,
        user=row.user,
        kind=row.kind,
        managed_apple_account=row.user.managed_apple_account or "",
        topic=push_topics.for_new_enrollments(),
        server_url=f"{settings.PUBLIC_URL}/mdm/connect",
        checkin_url=f"{settings.PUBLIC_URL}/mdm/checkin",
        access_rights=options.access_rights() if row.kind == Enrollment.Kind.ADDE else None,
        profile_identifier=profile_identifier(),
        sign_message=settings_store.read(options.SIGN_MESSAGE),
        family=facts.family,
        bearer_sha256=row.sha256,
        bearer_lapses_at=row.lapses_at,
    )
    row.enrollment = enrollment
    row.save(update_fields=["enrollment"])
    if row.device is not None:
        row.device.status = Device.Status.IENROLL_INPROGRESS
        row.device.save(update_fields=["status", "modified_at"])
    return enrollment


def renew(enrollment: Enrollment, challenge: ScepChallenge) -> bytes:
    """A profile that replaces the one on the device and brings a new identity.

    Built from the stored enrollment, for every key but the identity must stay as it was (Apple: "Deploying MDM
    Enrollment Profiles").
    """
    return sign(render(enrollment, challenge))


def render(enrollment: Enrollment, challenge: ScepChallenge) -> bytes:
    return EnrollmentProfile(
        kind=enrollment.kind,
        identifier=enrollment.profile_identifier,
        reference=challenge.reference,
        organization=authorities.organization(),
        managed_apple_account=enrollment.managed_apple_account,
        topic=enrollment.topic,
        server_url=enrollment.server_url,
        checkin_url=enrollment.checkin_url,
        access_rights=enrollment.access_rights,
        sign_message=enrollment.sign_message,
        scep=Scep(
            url=f"{settings.PUBLIC_URL}/scep",
            challenge=issuance.challenge_text(challenge),
            common_name=challenge.reference,
        ),
    ).render()


def sign(profile: bytes) -> bytes:
    """CMS-signed, so that people see who sent it; plain when laboratories switch signing off."""
    if not settings_store.read(options.SIGN_PROFILE):
        return profile
    if settings.SIGNING_CERTIFICATE and settings.SIGNING_KEY:
        certificate, key, chain = _signing_files(settings.SIGNING_CERTIFICATE, settings.SIGNING_KEY)
        return cms.sign(profile, certificate, key, chain)
    signer = authorities.profile_signer()
    return cms.sign(profile, signer.certificate, signer.key, [authorities.device_ca().certificate])


def _signing_files(
    certificate: Path, key: Path
) -> tuple[x509.Certificate, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, list[x509.Certificate]]:
    """Read each time: certificates of a TLS port are replaced while we run."""
    leaf, *chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("EPMM_SIGNING_KEY must be an RSA or EC key")
    return leaf, private, chain
