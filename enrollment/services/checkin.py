"""Authenticate, TokenUpdate, CheckOut and the other check-in messages: what each does to an enrollment.

The certificate names the enrollment; the message may not name another device.  A certificate proves only that it was
issued here: it counts for the one enrollment it was issued for (protocol reference, "Device identity", Pinning).
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from devices import events
from devices.door.exchange import DeviceRequest
from devices.errors import DeviceRefused, ReauthenticationNeeded, UnrecognizedDevice
from devices.models import Channel, Device, Enrollment, Identity, os_version_number
from devices.protocol.checkin import Authenticate, CheckOut, Sender, TokenUpdate
from devices.services import configuration_plan, waking
from devices.services.retire import check_out_reason, end_enrollment
from enrollment import reasons
from enrollment.models import Step
from enrollment.protocol.discovery import ModelFamily
from enrollment.services import activation, authorities, policy, sign_in, tokens, trace
from enrollment.services.refusal import CheckinRefused
from epmm import options, settings_store
from epmm.wire import x509
from epmm.wire.errors import WireError

SKEW: Final = timedelta(minutes=10)
USERS_OF_A_MAC: Final = 50
USABLE: Final = (Identity.State.ISSUED, Identity.State.PENDING, Identity.State.CURRENT)


def accept_authenticate(message: Authenticate, request: DeviceRequest) -> None:
    try:
        with transaction.atomic():
            identity = identity_of(request)
            _verify_chain(identity, request)
            enrollment = _standing(identity)
            _check_sender(enrollment, message.sender, message.topic)
            _check_bearer(enrollment, request)
            _begin(enrollment, identity, message)
            trace.step(trace.of(enrollment), Step.AUTHENTICATE, os_version=message.os_version)
    except CheckinRefused as refusal:
        _record(refusal, Step.AUTHENTICATE)
        raise


def accept_token_update(message: TokenUpdate, request: DeviceRequest) -> None:
    try:
        with transaction.atomic():
            identity = identity_of(request)
            enrollment = _standing(identity)
            _check_bound(enrollment, identity, message.sender, message.topic)
            _check_bearer(enrollment, request)
            _ask_again(enrollment, request)
            now = timezone.now()
            _store_push(enrollment, message, now)
            if not message.sender.user_key:
                address = trace.address_or_none(request.address) or ""
                activation.complete(enrollment, identity, now, address)
                _note_address(enrollment, address)
    except CheckinRefused as refusal:
        _record(refusal, Step.TOKEN_UPDATE)
        raise


def accept_check_out(message: CheckOut, request: DeviceRequest) -> None:
    """The person signed out.  A repeat after a lost answer is as welcome as the first."""
    try:
        with transaction.atomic():
            _check_out(message, request)
    except CheckinRefused as refusal:
        _record(refusal, Step.CHECK_OUT)
        raise


def _check_out(message: CheckOut, request: DeviceRequest) -> None:
    identity = identity_of(request)
    enrollment = Enrollment.objects.select_for_update().get(pk=identity.enrollment_id)
    if not enrollment.device_key or message.sender.device_key != enrollment.device_key:
        raise DeviceRefused("CheckOut for another device")
    if message.sender.user_key:  # Apple's checkout.yaml: `userchannel: false`; a user does not end the Mac
        raise DeviceRefused("CheckOut of a user")
    if enrollment.state == Enrollment.State.ENDED:
        return
    identity.refresh_from_db(fields=["state"])
    if identity.state not in {Identity.State.CURRENT, Identity.State.PENDING}:
        raise DeviceRefused("CheckOut with a certificate that is not in force")
    _check_bearer(enrollment, request)
    if enrollment.device is not None:
        events.device_checked_out(enrollment.device)
    end_enrollment(enrollment, reason=check_out_reason(enrollment.device), now=timezone.now())
    tokens.revoke_of(enrollment)
    trace.step(trace.of(enrollment), Step.CHECK_OUT)


def store_bootstrap_token(sender: Sender, token: bytes | None, request: DeviceRequest) -> None:
    with transaction.atomic():
        enrollment = serve(sender, request)
        enrollment.bootstrap_token = token if _may_keep_secrets(enrollment) else None
        enrollment.save(update_fields=["bootstrap_token"])


@transaction.atomic
def serve(sender: Sender, request: DeviceRequest) -> Enrollment:
    """The enrollment behind a message that changes no life cycle.  Raises as the others do."""
    identity = identity_of(request)
    enrollment = _standing(identity)
    _check_bound(enrollment, identity, sender, enrollment.topic)
    _check_bearer(enrollment, request)
    _ask_again(enrollment, request)
    _note_contact(enrollment, sender, timezone.now())
    return enrollment


def channel_of(sender: Sender, request: DeviceRequest) -> Channel:
    channel = serve(sender, request).channels.filter(user_key=sender.user_key).first()
    if channel is None:
        raise DeviceRefused("no TokenUpdate has opened this channel")
    return channel


def explain(request: DeviceRequest, device_key: str) -> None:
    """Why a connect matched no active enrollment; returns when only its bearer stood in the way."""
    identity = identity_of(request)
    enrollment = identity.enrollment
    if enrollment.device_key != device_key:
        raise DeviceRefused("the message names another device than its certificate")
    if enrollment.state == Enrollment.State.ENDED:
        raise UnrecognizedDevice
    if enrollment.state != Enrollment.State.ACTIVE or identity.state != Identity.State.CURRENT:
        raise DeviceRefused("the enrollment is not complete, or its certificate was replaced")
    _check_bearer(enrollment, request)
    _ask_again(enrollment, request)
    if request.bearer_sha256 is None or (_is_own_bearer(enrollment, request) and not _forget_lapse(enrollment)):
        raise DeviceRefused("no TokenUpdate has opened this channel")


# --- Who is calling ---------------------------------------------------------------------------------------------------


def identity_of(request: DeviceRequest) -> Identity:
    identity = (
        Identity.objects.filter(sha256=request.certificate_sha256)
        .select_related("enrollment", "enrollment__user")
        .first()
    )
    if identity is None:
        raise DeviceRefused("the certificate was not issued here")
    if identity.not_after <= timezone.now() and settings_store.read(options.DENY_EXPIRED):
        raise DeviceRefused("the certificate has expired")
    return identity


def _verify_chain(identity: Identity, request: DeviceRequest) -> None:
    """Once, here; from now on the pinned fingerprint is the credential."""
    try:
        leaf = x509.load(request.certificate)
        x509.verify_own(leaf, authorities.device_ca().certificate, timezone.now(), SKEW)
    except WireError as error:
        raise CheckinRefused(reasons.CERTIFICATE_REFUSED, identity.enrollment) from error


def _standing(identity: Identity) -> Enrollment:
    """The enrollment, locked.  One that ended lets its device go, on purpose (protocol reference, 9.4)."""
    # Nothing joined: after waiting for the lock, a join would still show the record as it was before.
    enrollment = Enrollment.objects.select_for_update().get(pk=identity.enrollment_id)
    if enrollment.state == Enrollment.State.ENDED:
        raise UnrecognizedDevice
    identity.refresh_from_db(fields=["state"])  # another request may have changed it while we waited for the lock
    if identity.state not in USABLE:
        raise CheckinRefused(reasons.CERTIFICATE_REFUSED, enrollment)
    return enrollment


def _check_sender(enrollment: Enrollment, sender: Sender, topic: str) -> None:
    """Apple: cross-check the UDID of the message with the certificate."""
    by_udid = enrollment.kind == Enrollment.Kind.ADDE
    if by_udid != bool(sender.udid):
        raise CheckinRefused(reasons.MESSAGE_REFUSED, enrollment)
    if enrollment.device_key and enrollment.device_key != sender.device_key:
        # A plain 403: an answer that unenrols would let a forged message unenrol somebody else's device.
        raise CheckinRefused(reasons.WRONG_DEVICE, enrollment)
    if topic != enrollment.topic:
        raise CheckinRefused(reasons.MESSAGE_REFUSED, enrollment)


def _check_bound(enrollment: Enrollment, identity: Identity, sender: Sender, topic: str) -> None:
    _check_sender(enrollment, sender, topic)
    if enrollment.state == Enrollment.State.PENDING or identity.state == Identity.State.ISSUED:
        raise CheckinRefused(reasons.MESSAGE_REFUSED, enrollment)  # before its Authenticate


def _is_own_bearer(enrollment: Enrollment, request: DeviceRequest) -> bool:
    return enrollment.bearer_sha256 is not None and request.bearer_sha256 == bytes(enrollment.bearer_sha256)


def _check_bearer(enrollment: Enrollment, request: DeviceRequest) -> None:
    """Macs send none on the device channel.  Somebody else's token is refused; a dead one of its own does no harm."""
    if request.bearer_sha256 is None or _is_own_bearer(enrollment, request):
        return
    if tokens.belongs_to_another(request.bearer_sha256, enrollment.user_id):
        raise CheckinRefused(reasons.TOKEN_REFUSED, enrollment)


def _ask_again(enrollment: Enrollment, request: DeviceRequest) -> None:
    """Ongoing authorization (protocol reference, 2.9): only for a bearer that is known to count no more, never for a
    request without one.  While it enrolls, a device is not interrupted."""
    is_asked = enrollment.state == Enrollment.State.ACTIVE and settings_store.read(options.REAUTHENTICATION)
    if request.bearer_sha256 is None or not is_asked:
        return
    if tokens.has_lapsed(enrollment, request.bearer_sha256):
        raise ReauthenticationNeeded(sign_in.challenge_for(sign_in.again(enrollment)))


@transaction.atomic
def _forget_lapse(enrollment: Enrollment) -> bool:
    """Nobody is asked to sign in again any more: the door need not come here for this device once more."""
    lapsed = Enrollment.objects.filter(pk=enrollment.pk, bearer_lapses_at__isnull=False)
    return lapsed.update(bearer_lapses_at=None) == 1


def _note_contact(enrollment: Enrollment, sender: Sender, now: datetime) -> None:
    """As the door does with each connect.  A user without a channel speaks for the Mac."""
    for user_key in dict.fromkeys([sender.user_key, ""]):
        if enrollment.channels.filter(user_key=user_key).update(last_seen_at=now):
            return


@transaction.atomic
def _record(refusal: CheckinRefused, name: Step) -> None:
    found = trace.of(refusal.enrollment)
    trace.step(found, name, result=trace.REFUSED, reason=refusal.reason, **refusal.details)


# --- Authenticate -----------------------------------------------------------------------------------------------------


def _begin(enrollment: Enrollment, identity: Identity, message: Authenticate) -> None:
    now = timezone.now()
    match enrollment.state:
        case Enrollment.State.PENDING:
            _claim(enrollment, message, now)
            identity.state = Identity.State.CURRENT
        case Enrollment.State.AUTHENTICATED if identity.state == Identity.State.ISSUED:
            raise CheckinRefused(reasons.CERTIFICATE_REFUSED, enrollment)
        case Enrollment.State.AUTHENTICATED:
            return  # the answer was lost
        case _:
            # A profile update.  Everything stays as it is until the TokenUpdate: if the update fails, the device
            # goes back to its old profile and certificate.
            enrollment.reauthenticated_at = now
            enrollment.save(update_fields=["reauthenticated_at"])
            _note_contact(enrollment, message.sender, now)
            # of an update that failed before this one; its TokenUpdate will not come
            pending = enrollment.identities.filter(state=Identity.State.PENDING)
            pending.exclude(pk=identity.pk).update(state=Identity.State.ISSUED)
            if identity.state == Identity.State.ISSUED:
                identity.state = Identity.State.PENDING
    identity.save(update_fields=["state"])


def _claim(enrollment: Enrollment, message: Authenticate, now: datetime) -> None:
    """A fresh certificate names its device for the first time."""
    sender = message.sender
    family = ModelFamily.of_product(message.product_name or message.model)
    facts = policy.Facts(
        kind=Enrollment.Kind(enrollment.kind),
        family=family.value if family else enrollment.family,
        os_version=message.os_version,
        udid=sender.udid,
    )
    try:
        policy.require(enrollment.user, facts)
    except policy.Refused as refused:
        raise CheckinRefused(refused.reason, enrollment, **refused.details) from refused
    enrollment.state = Enrollment.State.AUTHENTICATED
    enrollment.authenticated_at = now
    enrollment.udid, enrollment.enrollment_id = sender.udid, sender.enrollment_id
    enrollment.device_key, enrollment.family = sender.device_key, facts.family
    enrollment.device = _record_of(enrollment)
    enrollment.save()
    _describe(enrollment.device, enrollment, message)


def _record_of(enrollment: Enrollment) -> Device:
    """The person's record of this UDID if there is one; else the one that waits since the sign-in, or a new one.

    A user enrollment shows neither UDID nor serial number: such a device is new each time.
    """
    # Two phones of a person may come from one sign-in page: the record belongs to the one that claims it first.
    unclaimed = Device.objects.select_for_update().filter(udid="", enrollment_id="")
    waiting = unclaimed.filter(pk=enrollment.device_id).first() if enrollment.device_id else None
    known = None
    if enrollment.udid:
        mine = Device.objects.select_for_update().filter(udid=enrollment.udid, user=enrollment.user)
        known = mine.order_by(Exists(Enrollment.objects.active().filter(device=OuterRef("pk"))).desc(), "-pk").first()
    if known is None:
        return waiting or Device.objects.create(user=enrollment.user, enrollment_type=enrollment.kind)
    if waiting is not None and waiting != known and waiting.status in Device.PROVISIONAL:
        waiting.delete()
    return known


def _describe(device: Device, enrollment: Enrollment, message: Authenticate) -> None:
    if device.enrollments.active().exists():  # an older one is still in force
        return
    device.status = Device.Status.IENROLL_COMPLETE
    device.enrollment_type = enrollment.kind
    device.managed_apple_account = enrollment.managed_apple_account
    device.udid, device.enrollment_id = enrollment.udid, enrollment.enrollment_id
    device.family = enrollment.family
    device.platform = policy.PLATFORM_OF.get(enrollment.family, "")
    hardware = {"serial_number": message.serial_number, "imei": message.imei, "meid": message.meid}
    if enrollment.kind == Enrollment.Kind.AAUE:  # forbidden there: none of it is ours to know
        hardware = {}
    told = hardware | {
        "product_name": message.product_name,
        "model": message.model,
        "model_name": message.model_name,
        "device_name": message.device_name,
        "os_version": message.os_version,
        "build_version": message.build_version,
    }
    for name, value in told.items():
        if value:
            setattr(device, name, value)
    device.os_version_number = os_version_number(device.os_version)
    device.save()


# --- TokenUpdate ------------------------------------------------------------------------------------------------------


def _store_push(enrollment: Enrollment, message: TokenUpdate, now: datetime) -> None:
    _check_user_channel(enrollment, message.sender)
    channel, is_new = Channel.objects.update_or_create(
        enrollment=enrollment,
        user_key=message.sender.user_key,
        defaults={
            "user_short_name": message.sender.user_short_name,
            "user_long_name": message.sender.user_long_name,
            "push_token": message.token,
            "push_magic": message.push_magic.encode(),
            "token_updated_at": now,
            "push_refused_at": None,
            "awaiting_configuration": message.awaiting_configuration,
            "last_seen_at": now,
        },
    )
    if not is_new:
        waking.revive(channel)
    elif message.sender.user_key and enrollment.device_id is not None:  # a user's profiles have waited for the user
        configuration_plan.plan_device_soon(enrollment.device_id)
    if message.unlock_token and not message.sender.user_key:  # absent or empty means: keep the one you have
        enrollment.unlock_token = message.unlock_token if _may_keep_secrets(enrollment) else None
        enrollment.save(update_fields=["unlock_token"])


def _may_keep_secrets(enrollment: Enrollment) -> bool:
    """What opens somebody's own device is not ours to hold: `userenrollment: forbidden` in Apple's schema."""
    return enrollment.kind == Enrollment.Kind.ADDE


def _note_address(enrollment: Enrollment, address: str) -> None:
    """From where the device called."""
    device = enrollment.device
    if address and device is not None and device.ip_address != address:
        Device.objects.filter(pk=device.pk).update(ip_address=address, modified_at=timezone.now())


def _check_user_channel(enrollment: Enrollment, sender: Sender) -> None:
    """Only a Mac has users, and not any number of them."""
    if not sender.user_key:
        return
    others = enrollment.channels.exclude(user_key__in=["", sender.user_key])
    if enrollment.family not in {"", "Mac"} or others.count() >= USERS_OF_A_MAC:
        raise CheckinRefused(reasons.MESSAGE_REFUSED, enrollment)
