"""The SCEP responder: one-time challenge in, device identity out (RFC 8894)."""

import logging
from typing import Final

from cryptography import x509

from enrollment import reasons
from enrollment.models import Attempt, Step
from enrollment.protocol.scep import reply, request
from enrollment.protocol.scep.authority import RegistrationAuthority
from enrollment.protocol.scep.errors import FailInfo, ScepFailure
from enrollment.services import authorities, issuance, trace
from epmm import options, settings_store

logger = logging.getLogger(__name__)
CAPABILITIES: Final = reply.CAPABILITIES


def ca_certificates() -> bytes:
    """RA and CA, for GetCACert."""
    return reply.ca_bundle(authorities.scep_ra().certificate, authorities.device_ca().certificate)


def answer(raw: bytes) -> bytes:
    """CertRep for a pkiMessage: refusals travel inside it.  Raises WireError when it cannot be read at all."""
    message = request.read_message(raw)
    ra = _registration_authority()
    try:
        asked = request.read_request(message, ra=ra, allow_legacy=settings_store.read(options.LEGACY_CIPHERS))
    except ScepFailure as failure:
        logger.info("a SCEP request was refused", extra={"code": reasons.REQUEST_REFUSED.code, "why": str(failure)})
        return reply.failure(message.transaction, failure.fail_info, ra=ra)
    attempt = _attempt(asked.csr.challenge_password)
    trace.step(attempt, Step.CERTIFICATE_REQUEST)
    try:
        identity = issuance.issue(
            challenge=asked.csr.challenge_password or "",
            public_key=asked.csr.public_key,
            transaction_id=asked.transaction.transaction_id,
        )
    except issuance.ChallengeRefused:
        trace.step(attempt, Step.CERTIFICATE_ISSUED, result=trace.REFUSED, reason=reasons.CHALLENGE_REFUSED)
        logger.info("a SCEP request was refused", extra={"code": reasons.CHALLENGE_REFUSED.code})
        return reply.failure(message.transaction, FailInfo.BAD_REQUEST, ra=ra)
    trace.step(attempt, Step.CERTIFICATE_ISSUED, serial=identity.serial_number)
    return reply.success(asked, x509.load_der_x509_certificate(bytes(identity.der)), ra=ra)


def _registration_authority() -> RegistrationAuthority:
    ra = authorities.scep_ra()
    return RegistrationAuthority(certificate=ra.certificate, key=ra.key)


def _attempt(challenge: str | None) -> Attempt | None:
    row = issuance.find_challenge(challenge or "")
    if row is None:
        return None
    return trace.of(row.enrollment)
