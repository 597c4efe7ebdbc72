"""An action, and whom it may go to."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from devices.models import Channel, Device, Enrollment
from devices.protocol import commands
from devices.services.target import target_of
from epmm import audit, masking

Values: TypeAlias = Mapping[str, Any]


class Unmet(Exception):
    """This device was passed over.  The argument is a sentence for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an administrator typed, and who it was."""

    values: Values
    actor: str
    address: str | None = None

    def audit(self, action: str, device: Device, **details: Any) -> None:
        audit.record(
            action,
            actor=self.actor,
            address=self.address,
            subject_type="device",
            subject=str(device.uuid),
            details=details,
        )


@dataclass(frozen=True)
class Subject:
    """A device, and the channel that commands to it take."""

    device: Device
    channel: Channel | None

    @cached_property
    def target(self) -> commands.Target | None:
        """For asking only: whether there is an unlock token decides, and nobody decrypts it."""
        if self.channel is None:
            return None
        is_held: bool = getattr(self.channel, "has_unlock_token")  # noqa: B009 - annotated
        return replace(target_of(self.channel), unlock_token=lambda: b"held" if is_held else None)

    @property
    def is_mac(self) -> bool:
        return self.device.platform == Device.Platform.MACOS

    @property
    def name(self) -> str:
        device = masking.seen(self.device)
        return device.device_name or device.serial_number or device.model_name or device.user.display_name


class Action(ABC):
    key: ClassVar[str]
    label: ClassVar[str | Promise]
    explanation: ClassVar[str | Promise]
    button: ClassVar[str | Promise]
    icon: ClassVar[str]
    role: ClassVar[str]
    is_dangerous: ClassVar[bool] = False
    is_sent: ClassVar[bool] = False  # to the device, which may still take its time

    def asks_who(self, number: int) -> bool:
        """Whether the administrator's password is asked for once more, for so many devices."""
        del number
        return False

    def packed(self, values: Values) -> dict[str, Any]:
        """What was typed, as JSON has it: the worker does it later."""
        return dict(values)

    def unpacked(self, told: Values) -> Values:
        """Raises ObjectDoesNotExist for what has been deleted meanwhile."""
        return told

    @abstractmethod
    def why_not(self, subject: Subject) -> str | None:
        """Why it cannot go to this device, as a sentence; None: nothing speaks against it."""

    @abstractmethod
    def run(self, device: Device, order: Order) -> str:
        """Do it, and say in a word what came of it.  Raises Unmet, CommandRefused or LabelRefused."""


def subjects(devices: Iterable[Device]) -> list[Subject]:
    """With their channels, by one statement for all."""
    devices = list(devices)
    by_device = {device.pk: device for device in devices}
    channels: dict[int, Channel] = {}
    active = Channel.objects.filter(
        user_key="", enrollment__state=Enrollment.State.ACTIVE, enrollment__device__in=list(by_device)
    )
    heavy = ("push_magic", "enrollment__unlock_token", "enrollment__bootstrap_token")
    active = active.annotate(has_unlock_token=Q(enrollment__unlock_token__isnull=False))
    for channel in active.select_related("enrollment").defer(*heavy).order_by("enrollment_id"):
        enrollment = channel.enrollment
        if enrollment.device_id is not None:
            enrollment.device = by_device[enrollment.device_id]
            channels[enrollment.device_id] = channel
    return [Subject(device, channels.get(device.pk)) for device in devices]


def gone(subject: Subject) -> str | None:
    match subject.device.status:
        case Device.Status.RETIRED:
            return _("This device is retired.")
        case Device.Status.WIPED:
            return _("This device is wiped.")
    return None


def unmanaged(subject: Subject) -> str | None:
    """What any command needs."""
    return gone(subject) or (_("This device is not under management.") if subject.channel is None else None)


def locked(device: Device) -> Device:
    """As it is now, until the transaction ends.  Raises Unmet."""
    found = Device.objects.select_for_update().filter(pk=device.pk).first()
    if found is None:
        raise Unmet(_("This record has been deleted meanwhile."))
    return found
