"""An administrator's command to a device, by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Channel, Command, Device
from devices.protocol import commands
from devices.services import departure, queue
from devices.services.queue import CommandRefused
from devices.services.retire import RETIRED_BY_ADMINISTRATOR, end_enrollment
from devices.services.target import target_of
from devices.services.wording import worded
from epmm import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What can be sent; nothing is queued yet."""

    device: Device
    channel: Channel
    request: commands.Request
    ends_management: bool  # whoever sends this is asked again


def prepare(
    device: Device,
    request_type: str,
    *,
    payload: Mapping[str, Any] | None = None,
    user_key: str = "",
    is_ours: bool = False,
) -> Order:
    """`is_ours`: made by EPMM, not written by an administrator.  `CommandRefused` says what speaks against it."""
    channel = _channel(device, user_key)
    target = target_of(channel)
    request = commands.by_name(request_type, payload, target)
    why_not = commands.why_not if is_ours else commands.why_not_as_written
    if sentence := why_not(request, target):
        raise CommandRefused(worded(sentence))
    ends = departure.is_one(request, target)
    return Order(device=device, channel=channel, request=request, ends_management=ends)


def prepare_retirement(device: Device) -> Order:
    """The removal of the enrollment profile, which ends the management."""
    channel = _channel(device, "")
    return prepare(device, "RemoveProfile", payload={"Identifier": channel.enrollment.profile_identifier})


@transaction.atomic
def retire_now(device: Device, *, actor: str, address: str | None = None) -> None:
    """For a device that will not come back; should it, its certificate is told that the enrollment has ended."""
    end_enrollment(_channel(device, "").enrollment, reason=RETIRED_BY_ADMINISTRATOR, now=timezone.now())
    audit.record("device.retired", actor=actor, address=address, subject_type="device", subject=str(device.uuid))


@transaction.atomic
def send(order: Order, *, actor: str, address: str | None = None) -> Command:
    """Queue and audit it.  Its payload may hold a PIN or a password, so the audit does not."""
    command = queue.queue(order.channel, order.request)
    audit.record(
        "command.queued",
        actor=actor,
        address=address,
        subject_type="device",
        subject=str(order.device.uuid),
        details={
            "command": str(command.uuid),
            "request_type": command.request_type,
            "user": order.channel.user_key,
        }
        | ({"ends_management": True} if order.ends_management else {}),
    )
    return command


def _channel(device: Device, user_key: str) -> Channel:
    if device.status == Device.Status.RETIRED:
        raise CommandRefused(_("This device is retired."))
    enrollment = device.enrollments.active().select_related("device").order_by("pk").last()
    if enrollment is None:
        raise CommandRefused(_("This device is not under management."))
    channels = {channel.user_key: channel for channel in enrollment.channels.select_related("enrollment__device")}
    if user_key in channels:
        return channels[user_key]
    users = ", ".join(sorted(key for key in channels if key))
    told = _("This device has no user {user}. It has {users}.") if users else _("This device has no user {user}.")
    raise CommandRefused(told.format(user=user_key, users=users))
