"""Putting commands into the queue of a channel, and taking them out again."""

from typing import Final

from django.db import transaction
from django.utils import timezone

from devices.models import Channel, Command, Device, Enrollment
from devices.protocol import commands
from devices.protocol.commands import Kind, Platform, Request, Target
from epmm.wire.errors import WireError

PLATFORM_OF_FAMILY: Final = {"Mac": Platform.MACOS, "RealityDevice": Platform.VISIONOS}


class CommandRefused(Exception):
    """Nothing was queued.  The argument is a sentence for the administrator."""


def target_of(channel: Channel) -> Target:
    enrollment = channel.enrollment
    known = enrollment.device.platform if enrollment.device is not None else ""
    return Target(
        platform=Platform(known) if known else PLATFORM_OF_FAMILY.get(enrollment.family, Platform.IOS),
        kind=Kind(enrollment.kind),
        user_channel=channel.user_key != "",
        access_rights=enrollment.access_rights,
        profile_identifier=enrollment.profile_identifier,
    )


@transaction.atomic
def queue(channel: Channel, request: Request, *, priority: int = 0) -> Command:
    """Queue it, rendered once and for all; what cannot work there raises `CommandRefused` instead."""
    target = target_of(channel)
    if channel.enrollment.state == Enrollment.State.ENDED:
        raise CommandRefused("This enrollment has ended.")
    if sentence := commands.why_not(request, target):
        raise CommandRefused(sentence)
    command = _rendered(channel, request, priority)
    command.save()
    _announce_end(channel.enrollment, request, target)
    return command


def queue_first_inventory(enrollment: Enrollment) -> None:
    """Ask a new enrollment about itself, as far as its kind and platform allow."""
    channel = enrollment.channels.get(user_key="")
    channel.enrollment = enrollment
    requests = commands.first_inventory(target_of(channel))
    Command.objects.bulk_create([_rendered(channel, request, priority=0) for request in requests])


def cancel_all(enrollment: Enrollment) -> int:
    """Old commands must not reach a device that begins anew; the number of those that were open."""
    return Command.objects.filter(channel__enrollment=enrollment).cancel()


def _rendered(channel: Channel, request: Request, priority: int) -> Command:
    command = Command(channel=channel, request_type=request.request_type, priority=priority)
    try:
        command.rendered = commands.render(request, command.uuid)
    except WireError as error:
        raise CommandRefused(f"{request.request_type}: the {error}.") from error
    return command


def _announce_end(enrollment: Enrollment, request: Request, target: Target) -> None:
    """The record says from now on that its device is on its way out.  A wipe is more than a retirement."""
    if request.request_type == "EraseDevice":
        status = Device.Status.WIPE_PENDING
    elif commands.removes_enrollment(request, target):
        status = Device.Status.RETIRE_PENDING
    else:
        return
    devices = Device.objects.enrolled().filter(enrollments=enrollment).exclude(status=Device.Status.WIPE_PENDING)
    devices.update(status=status, modified_at=timezone.now())
