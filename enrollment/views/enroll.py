import secrets
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from devices.models import Enrollment
from enrollment import reasons
from enrollment.models import Attempt, Step
from enrollment.protocol import challenge, machine_info
from enrollment.protocol.machine_info import MachineInfo, Reading, SignatureState
from enrollment.services import policy, profiles, sign_in, trace
from enrollment.services.sign_in import State
from epmm import options, settings_store
from epmm.client_address import client_address
from epmm.rate_limit import limited
from epmm.wire.errors import WireError
from epmm.wire.refusal import software_update_required

SIGNATURE_REASON: Final = {
    SignatureState.UNKNOWN_CA: reasons.UNKNOWN_DEVICE_CA,
    SignatureState.MISMATCH: reasons.ALTERED,
    SignatureState.UNSIGNED: reasons.UNSIGNED,
}
NO_STORE: Final = {"Cache-Control": "no-store"}


@limited
@require_POST
def enroll(request: HttpRequest, kind: str, reference: str = "") -> HttpResponse:
    """BaseURL.  The first POST is answered with a challenge, the same again with a token by the profile.

    The body is read raw, whatever its content type: real devices and Apple's examples name three different ones.
    """
    attempt = trace.find(reference) or trace.open_attempt(address=trace.address_or_none(client_address(request)))
    try:
        reading = _read(request)
    except WireError:
        return _refused(attempt, 400, reasons.UNREADABLE)
    if settings_store.read(options.MACHINE_INFO_SIGNATURE) == "require" and reading.signature in SIGNATURE_REASON:
        return _refused(attempt, 403, SIGNATURE_REASON[reading.signature])
    info = reading.info or MachineInfo()  # altered beyond reading: nothing is known of the device
    _trace(attempt, info, reading.signature)
    state = _state(attempt, info, kind, reference)
    if info.can_request_software_update and (minimum := policy.wanted_system(state.facts())):
        return _update_first(request, attempt, minimum)
    token = challenge.bearer(request.headers.get("Authorization"))
    return _profile(token, state) if token else _challenge(state)


def _profile(token: str, state: State) -> HttpResponse:
    try:
        profile = profiles.deliver(token=token, reference=state.base_reference, facts=state.facts())
    except profiles.TokenRefused:
        return _challenge(state)
    except policy.Refused as refused:
        return HttpResponse(refused.sentence, status=403, content_type="text/plain; charset=utf-8", headers=NO_STORE)
    return HttpResponse(profile, content_type=profiles.CONTENT_TYPE, headers=NO_STORE)


def _challenge(state: State) -> HttpResponse:
    """The 401 on purpose; never one without the challenge."""
    return HttpResponse(status=401, headers={"WWW-Authenticate": sign_in.challenge_for(state), **NO_STORE})


def _update_first(request: HttpRequest, attempt: Attempt | None, minimum: str) -> HttpResponse:
    """A device that said it can update while it enrolls is told to; the others read why on the sign-in page."""
    trace.step(attempt, Step.ENROLLMENT_REQUEST, result=trace.REFUSED, reason=reasons.SYSTEM_TOO_OLD)
    sentence = reasons.SYSTEM_TOO_OLD.sentence(minimum=minimum)
    body, content_type = software_update_required(os_version=minimum, message=sentence).render(
        request.headers.get("Accept", "")
    )
    return HttpResponse(body, status=403, content_type=content_type, headers=NO_STORE)


def _read(request: HttpRequest) -> Reading:
    return machine_info.read(request.read(machine_info.MAX_BYTES + 1), _extra_device_cas(settings.EXTRA_DEVICE_CA))


@cache
def _extra_device_cas(path: Path | None) -> Sequence[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes()) if path else ()


def _state(attempt: Attempt | None, info: MachineInfo, kind: str, base_reference: str) -> State:
    family = info.model_family.value if info.model_family else (attempt.model_family if attempt else "")
    return State(
        reference=attempt.reference if attempt else secrets.token_urlsafe(16),
        base_reference=base_reference,
        kind=Enrollment.Kind(kind).value,
        identifier=attempt.identifier if attempt else "",
        family=family,
        product=info.product or "",
        os_version=info.os_version or "",
        udid=info.udid or "",
        language=info.language or "",
    )


def _trace(attempt: Attempt | None, info: MachineInfo, signature: SignatureState) -> None:
    if attempt is None:
        return
    attempt.product = (info.product or "")[:64]
    attempt.os_version = (info.os_version or "")[:32]
    attempt.save(update_fields=["product", "os_version"])
    reason = None
    if settings_store.read(options.MACHINE_INFO_SIGNATURE) == "log":
        reason = SIGNATURE_REASON.get(signature)
    trace.step(attempt, Step.ENROLLMENT_REQUEST, result=trace.NOTED if reason else trace.OK, reason=reason)


def _refused(attempt: Attempt | None, status: int, reason: reasons.Reason) -> HttpResponse:
    trace.step(attempt, Step.ENROLLMENT_REQUEST, result=trace.REFUSED, reason=reason)
    return HttpResponse(reason.sentence(), status=status, content_type="text/plain; charset=utf-8", headers=NO_STORE)
