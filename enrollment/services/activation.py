"""How an enrollment comes into force: its device's TokenUpdate completes it, and whatever was before it ends."""

from datetime import datetime
from typing import Final

from django.utils.translation import gettext_noop

from devices import events
from devices.models import Device, Enrollment, Identity
from devices.services import configuration_plan, queue
from devices.services.retire import end_enrollment
from enrollment.models import Attempt, Step
from enrollment.services import consent, invitations, policy, tokens, trace
from enrollment.services.refusal import CheckinRefused
from enrollment.services.rules import Sayings
from users.models import User

REPLACED: Final = gettext_noop("replaced by a new enrollment")
TAKEN_OVER: Final = gettext_noop("taken over by another person")


def _check_again(enrollment: Enrollment) -> Sayings:
    """Once more, one device of a person after the other: several may have passed at Authenticate together."""
    user = enrollment.user = User.objects.select_for_update().get(pk=enrollment.user_id)
    facts = policy.Facts(kind=Enrollment.Kind(enrollment.kind), udid=enrollment.udid)
    try:
        return policy.require(user, facts, policy.AT_LAST)
    except policy.Refused as refused:
        raise CheckinRefused(refused.reason, enrollment, **refused.details) from refused


def complete(enrollment: Enrollment, identity: Identity, now: datetime, address: str) -> None:
    """The device channel's TokenUpdate: a new enrollment takes over; a renewed one changes its certificate.

    A renewed one is the same enrollment: its queue and its record stay as they are.
    """
    first = enrollment.state == Enrollment.State.AUTHENTICATED
    begun_again = enrollment.reauthenticated_at
    if not first and (begun_again is None or _waits_for_another(enrollment, identity)):
        return
    said = _check_again(enrollment) if first else Sayings()
    if identity.state == Identity.State.PENDING:
        enrollment.identities.filter(state=Identity.State.CURRENT).update(state=Identity.State.REPLACED)
        identity.state = Identity.State.CURRENT
        identity.save(update_fields=["state"])
    enrollment.state, enrollment.reauthenticated_at = Enrollment.State.ACTIVE, None
    enrollment.active_at = enrollment.active_at or now
    enrollment.save(update_fields=["state", "reauthenticated_at", "active_at"])
    attempt = trace.of(enrollment)
    trace.step(attempt, Step.TOKEN_UPDATE, first=first)
    if first:
        _end_others(enrollment, now)
        chosen = invitations.enrolled(enrollment.user) or trace.owner_of(attempt)
        owner = policy.owner_of(said, enrollment.kind, chosen)
        _activate_record(enrollment, owner, consent.terms_accepted_at(attempt), now, address)
        queue.queue_first_inventory(enrollment)
        if enrollment.device_id is not None:
            configuration_plan.plan_device_soon(enrollment.device_id)
        trace.move(attempt, Attempt.State.ACTIVE)


def _waits_for_another(enrollment: Enrollment, identity: Identity) -> bool:
    """Whether the check-in was begun with a new certificate and this message came with the old one.

    It completes nothing then, or the new certificate could never take over.
    """
    pending = enrollment.identities.filter(state=Identity.State.PENDING)
    return identity.state == Identity.State.CURRENT and pending.exists()


def _end_others(enrollment: Enrollment, now: datetime) -> None:
    """Nothing of an older enrollment of this device stays in force."""
    others = Enrollment.objects.standing().exclude(pk=enrollment.pk).exclude(state=Enrollment.State.PENDING)
    for other in others.filter(device_key=enrollment.device_key, kind=enrollment.kind).select_related("device"):
        end_enrollment(other, reason=REPLACED if other.user_id == enrollment.user_id else TAKEN_OVER, now=now)
        tokens.revoke_of(other)


def _activate_record(
    enrollment: Enrollment, owner: Device.Owner, terms_accepted_at: datetime | None, now: datetime, address: str
) -> None:
    device = enrollment.device
    if device is None:  # deleted by an administrator in between
        device = enrollment.device = Device.objects.create(user=enrollment.user, enrollment_type=enrollment.kind)
        enrollment.save(update_fields=["device"])
    device.refresh_from_db()
    device.status, device.mdm_managed = Device.Status.ACTIVE, True
    device.enrollment_type = enrollment.kind
    device.owner = owner
    device.managed_apple_account = enrollment.managed_apple_account
    device.udid, device.enrollment_id = enrollment.udid, enrollment.enrollment_id
    device.registered_at, device.last_seen_at = enrollment.active_at, now
    device.terms_accepted_at, device.ip_address = terms_accepted_at, address
    device.retired_at, device.retired_reason, device.unreachable_since = None, "", None
    device.enrollment_failed_at = device.lost_at = None
    device.save()
    if device.inventory_at is not None:
        device.managed_applications.all().delete()  # the enrollment before took them along
    events.device_enrolled(device)
