"""Actions that send a command: whether it may go there, the command itself says."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.protocol import commands
from devices.services import push, push_certificates, send
from devices.services.actions.base import Action, Subject, Unmet, Values, unmanaged
from epmm import audit
from users.models import AdminRole


class CommandAction(Action):
    """Sends one command."""

    request_type: ClassVar[str]
    role = AdminRole.DEVICE_MANAGE

    def payload(self, device: Device, values: Values) -> Mapping[str, Any] | None:
        """What the administrator typed, as far as this device knows it."""
        del device, values
        return None

    def why_not(self, subject: Subject) -> str | None:
        if sentence := unmanaged(subject):
            return sentence
        if subject.target is None:
            return None
        return commands.why_not(commands.by_name(self.request_type, None, subject.target), subject.target)

    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        order = send.prepare(device, self.request_type, payload=self.payload(device, values))
        send.send(order, actor=actor, address=address)
        return _("Queued")


class ForceCheckIn(Action):
    key = "check-in"
    label = gettext_lazy("Force Device Check-In")
    explanation = gettext_lazy("Apple's push service wakes the device, and it connects as soon as it is reachable.")
    button = gettext_lazy("Check in now")
    icon = "refresh-cw"
    role = AdminRole.DEVICE_MANAGE

    def why_not(self, subject: Subject) -> str | None:
        if sentence := unmanaged(subject):
            return sentence
        channel = subject.channel
        if channel is None or not channel.push_token:
            return _("This device has not said yet how it is woken.")
        if channel.push_refused_at is not None:
            return _("Apple's push service does not know this device any more.")
        return None

    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        del values
        if push_certificates.current() is None:
            raise Unmet(_("There is no MDM certificate, so nothing can be pushed."))
        if not push.wake(device):
            raise Unmet(_("This device cannot be woken."))
        audit.record("device.woken", actor=actor, address=address, subject_type="device", subject=str(device.uuid))
        return _("Sent")


class Lock(CommandAction):
    key = "lock"
    label = gettext_lazy("Lock")
    explanation = gettext_lazy("The screen is locked at once, with your message on it.")
    button = gettext_lazy("Lock")
    icon = "lock"
    request_type = "DeviceLock"

    def payload(self, device: Device, values: Values) -> Mapping[str, Any]:
        return told(device, Message=values.get("message"), PhoneNumber=values.get("phone_number")) | pin(device, values)


class Unlock(CommandAction):
    key = "unlock"
    label = gettext_lazy("Unlock")
    explanation = gettext_lazy(
        "The passcode is removed, and whoever holds the device gets in. Never do this to a lost device."
    )
    button = gettext_lazy("Remove passcode")
    icon = "lock-open"
    request_type = "ClearPasscode"


class Wipe(CommandAction):
    key = "wipe"
    label = gettext_lazy("Wipe")
    explanation = gettext_lazy("Everything on the device is erased. This cannot be undone.")
    button = gettext_lazy("Wipe")
    icon = "eraser"
    role = AdminRole.DEVICE_WIPE
    is_dangerous = True
    request_type = "EraseDevice"

    def asks_who(self, number: int) -> bool:
        return number > 0

    def why_not(self, subject: Subject) -> str | None:
        if subject.device.status == Device.Status.WIPE_PENDING:
            return _("A wipe is pending already.")
        return super().why_not(subject)

    def payload(self, device: Device, values: Values) -> Mapping[str, Any]:
        return pin(device, values)

    @transaction.atomic
    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        said = super().run(device, values, actor=actor, address=address)
        audit.record(
            "device.wipe_ordered",
            actor=actor,
            address=address,
            subject_type="device",
            subject=str(device.uuid),
            details={"reason": values.get("reason", "")},
        )
        return said


class Retire(Action):
    key = "retire"
    label = gettext_lazy("Retire")
    explanation = gettext_lazy("The device removes its management and what came with it. The record stays.")
    button = gettext_lazy("Retire")
    icon = "archive"
    role = AdminRole.DEVICE_MANAGE
    is_dangerous = True

    def asks_who(self, number: int) -> bool:
        return number > 1

    def why_not(self, subject: Subject) -> str | None:
        return unmanaged(subject)

    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        if values.get("at_once"):
            send.retire_now(device, actor=actor, address=address)
            return _("Retired")
        if device.status == Device.Status.RETIRE_PENDING:
            raise Unmet(_("A retirement is pending already."))
        send.send(send.prepare_retirement(device), actor=actor, address=address)
        return _("Queued")


def told(device: Device, **typed: Any) -> dict[str, Any]:
    """A lock screen that shows no message must not be sent one."""
    if device.platform == Device.Platform.VISIONOS:
        return {}
    return {key: value for key, value in typed.items() if value}


def pin(device: Device, values: Values) -> dict[str, Any]:
    is_asked = device.platform == Device.Platform.MACOS and values.get("pin")
    return {"PIN": values["pin"]} if is_asked else {}
