"""Actions that a device hears of: whether a command may go there, the command itself says."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.protocol import commands
from devices.services import configuration_delivery, push_certificates, push_topics, send, waking
from devices.services.actions.base import Action, Order, Subject, Unmet, unmanaged
from users.models import AdminRole


class CommandAction(Action):
    """Sends one command."""

    request_type: ClassVar[str]
    role = AdminRole.DEVICE_MANAGE
    is_sent = True

    def payload(self, device: Device, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the administrator typed, as far as this device knows it."""
        del device, values
        return None

    def why_not(self, subject: Subject) -> str | None:
        if (sentence := unmanaged(subject)) or subject.target is None:
            return sentence
        return commands.why_not(commands.by_name(self.request_type, None, subject.target), subject.target)

    def run(self, device: Device, order: Order) -> str:
        prepared = send.prepare(device, self.request_type, payload=self.payload(device, order.values))
        send.send(prepared, actor=order.actor, address=order.address)
        return _("Queued")


class ForceCheckIn(Action):
    key = "check-in"
    label = gettext_lazy("Force Device Check-In")
    explanation = gettext_lazy("Apple's push service wakes the device, and it connects as soon as it is reachable.")
    button = gettext_lazy("Check in now")
    icon = "refresh-cw"
    role = AdminRole.DEVICE_MANAGE
    is_sent = True

    def why_not(self, subject: Subject) -> str | None:
        if (sentence := unmanaged(subject)) or subject.channel is None:
            return sentence
        if not subject.channel.push_token:
            return _("This device has not said yet how it is woken.")
        return None

    def run(self, device: Device, order: Order) -> str:
        if (credentials := push_certificates.current()) is None:
            raise Unmet(_("There is no MDM certificate, so nothing can be pushed."))
        if sentence := push_topics.why_not(device, credentials.topic):
            raise Unmet(sentence)
        if not waking.wake(device):
            raise Unmet(_("This device cannot be woken."))
        order.audit("device.woken", device)
        return _("Sent")


class Lock(CommandAction):
    key = "lock"
    label = gettext_lazy("Lock")
    explanation = gettext_lazy("The screen is locked at once, with your message on it.")
    button = gettext_lazy("Lock")
    icon = "lock"
    request_type = "DeviceLock"

    def payload(self, device: Device, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return _told(device, Message=values.get("message"), PhoneNumber=values.get("phone_number")) | _pin(
            device, values
        )


class Unlock(CommandAction):
    key = "unlock"
    label = gettext_lazy("Unlock")
    explanation = gettext_lazy(
        "The passcode is removed, and whoever holds the device gets in. Never do this to a lost device."
    )
    button = gettext_lazy("Remove passcode")
    icon = "lock-open"
    request_type = "ClearPasscode"
    is_dangerous = True


class Locate(CommandAction):
    """Of the enrollments that there are none lets a server locate the device: it is always grey, and says why."""

    key = "locate"
    label = gettext_lazy("Locate")
    explanation = gettext_lazy("The device says where it is.")
    button = gettext_lazy("Locate")
    icon = "locate"
    request_type = "DeviceLocation"


class PushProfiles(Action):
    key = "push-profiles"
    label = gettext_lazy("Push Profiles")
    explanation = gettext_lazy("All configurations that are assigned to the device are installed again.")
    button = gettext_lazy("Push again")
    icon = "file-cog"
    role = AdminRole.DEVICE_MANAGE
    is_sent = True

    def why_not(self, subject: Subject) -> str | None:
        return unmanaged(subject)

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        pushed = configuration_delivery.push_again(device.pk)
        if not pushed:
            raise Unmet(_("No configuration is assigned to it, or all are on their way already."))
        order.audit("device.profiles_pushed", device, configurations=pushed)
        return _("Queued")


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

    def payload(self, device: Device, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return _pin(device, values)

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        said = super().run(device, order)
        order.audit("device.wipe_ordered", device, reason=order.values.get("reason", ""))
        return said


class Retire(Action):
    key = "retire"
    label = gettext_lazy("Retire")
    explanation = gettext_lazy("The device removes its management and what came with it. The record stays.")
    button = gettext_lazy("Retire")
    icon = "archive"
    role = AdminRole.DEVICE_MANAGE
    is_sent = True
    is_dangerous = True

    def asks_who(self, number: int) -> bool:
        return number > 1

    def why_not(self, subject: Subject) -> str | None:
        return unmanaged(subject)

    def run(self, device: Device, order: Order) -> str:
        if order.values.get("at_once"):
            send.retire_now(device, actor=order.actor, address=order.address)
            return _("Retired")
        if device.status == Device.Status.RETIRE_PENDING:
            raise Unmet(_("A retirement is pending already."))
        send.send(send.prepare_retirement(device), actor=order.actor, address=order.address)
        return _("Queued")


def _told(device: Device, **typed: Any) -> dict[str, Any]:
    """A lock screen that shows no message must not be sent one."""
    if device.platform == Device.Platform.VISIONOS:
        return {}
    return {key: value for key, value in typed.items() if value}


def _pin(device: Device, values: Mapping[str, Any]) -> dict[str, Any]:
    is_asked = device.platform == Device.Platform.MACOS and values.get("pin")
    return {"PIN": values["pin"]} if is_asked else {}
