"""What an administrator prepares before a device is seen: a PIN, and the record that waits for its device."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from devices.models import Device, Enrollment
from enrollment.services import policy, rules
from users.models import RegistrationPin, User
from users.services import pins

WAITING: Final = (Device.Status.VERIFICATION_PENDING, Device.Status.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What an administrator knows of a device before it comes; empty: whatever it be."""

    platform: str = ""
    owner: str = ""
    phone_number: str = ""
    country: str = ""
    operator: str = ""


def issue_pin(user: User, actor: str) -> str:
    """Issue a PIN and keep a pending device record for it.  Returns the digits, which are kept nowhere."""
    new = pins.NewPin.draw()
    with transaction.atomic():
        pin = pins.store(user, new, actor=actor)
        await_device(user, pin)
    return new.digits


def pin_issued(number: int) -> None:
    """A job: by whatever way it was issued, its record waits."""
    with transaction.atomic():
        pin = RegistrationPin.objects.standing().filter(pk=number, used_at=None).select_related("user").first()
        if pin is not None and not pin.devices.exists():
            await_device(pin.user, pin)


def expire_pins() -> None:
    """The records of PINs that ran out unused or were taken back.  A periodic job; the next PIN takes them up again."""
    now = timezone.now()
    is_over = Q(pin__expires_at__lte=now) | Q(pin__revoked_at__isnull=False)
    Device.objects.filter(is_over, status=Device.Status.VERIFICATION_PENDING, pin__used_at=None).exclude(
        pin=None
    ).update(status=Device.Status.EXPIRED, modified_at=now)


@transaction.atomic
def await_device(user: User, pin: RegistrationPin | None = None, announced: Announced | None = None) -> Device:
    """At most one record of a person waits; the person's row is held, so two cannot be made at once."""
    User.objects.select_for_update().get(pk=user.pk)
    waiting = user.devices.filter(status__in=WAITING).order_by("pk").first()
    record = waiting or Device(user=user)
    if waiting is None or announced is not None:
        said = announced.owner if announced is not None else ""
        record.owner = policy.owner_of(rules.of(user.pk), Enrollment.Kind.ADDE, said)
    record.status = Device.Status.VERIFICATION_PENDING
    record.pin = pin
    if announced is not None:
        record.platform, record.phone_number = announced.platform, announced.phone_number
        record.home_country, record.current_carrier = announced.country, announced.operator
    record.save()
    return record


def take_up(user: User, platform: str) -> Device | None:
    """The record that waits for a device of this person, unless another device has just taken it."""
    waiting = Device.objects.filter(user=user, status=Device.Status.VERIFICATION_PENDING, platform__in=["", platform])
    record = waiting.order_by("-platform", "pk").first()
    if record is None or not waiting.filter(pk=record.pk).update(status=Device.Status.IENROLL_VERIFIED):
        return None
    record.status = Device.Status.IENROLL_VERIFIED
    return record
