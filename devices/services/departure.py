"""The two commands after which a device is gone: the wipe, and the removal of its enrollment profile."""

from collections import defaultdict
from datetime import datetime

from django.db.models import Case, Value, When
from django.utils import timezone

from devices.models import Command, CommandRow, Device, Enrollment
from devices.protocol.commands import AnyRequest, Request, Target, removes_enrollment
from devices.services.retire import RETIRED_BY_ADMINISTRATOR, WIPED_BY_ADMINISTRATOR, end_enrollment
from devices.services.target import target_of
from epmm.wire import plist
from epmm.wire.limits import LARGEST_STORED

WIPE = Device.Status.WIPE_PENDING
RETIREMENT = Device.Status.RETIRE_PENDING
DEPARTURES = frozenset({"EraseDevice", "RemoveProfile"})
NEEDED = ("payload", "channel__enrollment__device")  # of a command, to know what it was queued for


def is_one(request: Request, target: Target) -> bool:
    return status_of(request, target) is not None


def announce(enrollment: Enrollment, request: Request, target: Target) -> None:
    """Queued: the record says from now on that its device is on its way out.  A wipe is more than a retirement."""
    if status := status_of(request, target):
        devices = Device.objects.enrolled().filter(enrollments=enrollment).exclude(status=WIPE)
        devices.update(status=status, modified_at=timezone.now())


def confirm(command: CommandRow, now: datetime) -> None:
    """The device did it.  A wiped one sends no CheckOut, and the CheckOut of a retired one may be lost."""
    status = _announced_by(command)
    enrollment = command.channel.enrollment
    if status == WIPE:
        end_enrollment(enrollment, reason=WIPED_BY_ADMINISTRATOR, now=now, status=Device.Status.WIPED)
    elif status == RETIREMENT:
        end_enrollment(enrollment, reason=RETIRED_BY_ADMINISTRATOR, now=now)


def refuse(*commands: CommandRow) -> None:
    """The devices did not: each stays, unless another such command is open for it."""
    announced = [(command, status) for command in commands if (status := _announced_by(command))]
    if not announced:
        return
    others = Command.objects.open().filter(
        channel__in={command.channel_id for command, _ in announced}, request_type__in=DEPARTURES
    )
    still = {(other.channel_id, _announced_by(other)) for other in others.select_related(*NEEDED)}
    moves: defaultdict[tuple[Device.Status, Device.Status | None], set[int]] = defaultdict(set)
    for command, status in announced:
        open_ones = (each for each in (WIPE, RETIREMENT) if (command.channel_id, each) in still)
        moves[status, next(open_ones, None)].add(command.channel.enrollment.device_id or 0)
    before = Case(When(lost_at__isnull=False, then=Value(Device.Status.LOST)), default=Value(Device.Status.ACTIVE))
    for (status, remaining), devices in moves.items():
        leaving = Device.objects.filter(pk__in=devices, status=status)
        leaving.update(status=before if remaining is None else Value(remaining), modified_at=timezone.now())


def status_of(request: Request, target: Target) -> Device.Status | None:
    if request.request_type == "EraseDevice":
        return WIPE
    return RETIREMENT if removes_enrollment(request, target) else None


def _announced_by(command: CommandRow) -> Device.Status | None:
    """What the command was queued for.  Its payload is read for the one type that may mean something else."""
    if command.request_type not in DEPARTURES:
        return None
    payload = plist.load_dict(command.rendered, max_bytes=LARGEST_STORED)["Command"]
    return status_of(AnyRequest(request_type=command.request_type, payload=payload), target_of(command.channel))
