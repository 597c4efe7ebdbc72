"""What an administrator prepares before a device is seen: a PIN, and the record that waits for its device."""

from django.db import transaction
from django.utils import timezone

from devices.models import Device
from users.models import RegistrationPin, User
from users.services import pins


def issue_pin(user: User, actor: str) -> str:
    """Issue a PIN and keep a pending device record for it.  Returns the digits, which are kept nowhere."""
    new = pins.NewPin.draw()
    with transaction.atomic():
        pin = pins.store(user, new, actor=actor)
        _await_device(user, pin)
    return new.digits


def expire_pins() -> None:
    """The records of PINs that ran out unused.  A periodic job; the next PIN takes the record up again."""
    now = timezone.now()
    Device.objects.filter(
        status=Device.Status.VERIFICATION_PENDING, pin__used_at=None, pin__expires_at__lte=now
    ).update(status=Device.Status.EXPIRED, modified_at=now)


def _await_device(user: User, pin: RegistrationPin) -> None:
    """At most one record of a person waits; `pins.store` holds the person's row, so two cannot be made at once."""
    waited = Device.Status.VERIFICATION_PENDING, Device.Status.EXPIRED
    record = user.devices.filter(status__in=waited).order_by("pk").first() or Device(user=user)
    record.status = Device.Status.VERIFICATION_PENDING
    record.pin = pin
    record.save()
