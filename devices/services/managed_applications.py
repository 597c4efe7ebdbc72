"""What becomes of the applications that a device was told to install or to remove.

The answer to an installation tells its first moment alone: then the person is asked, the store checks, the download
runs.  So the device is asked again, a few times, later each time.  What is undecided by then shows in the list that
belongs to each inventory of a device with such applications.

One job follows all devices whose answers were read together: when a whole fleet is told to install something, a job
for each would be most of the work.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from devices.models import Channel, Command, Device, Enrollment, ManagedApplication, Result
from devices.protocol import installed
from devices.protocol.commands import Request, Target, why_not
from devices.protocol.commands.managed import ManagedApplicationList
from devices.protocol.reading import Reading
from devices.services import queue
from epmm.models import Job
from epmm.wire import plist
from epmm.wire.limits import LARGEST_STORED

KIND: Final = "devices.look_after_applications"
LOOKS: Final = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))  # each after the one before
LATELY: Final = LOOKS[0]  # however many were ordered, nobody is asked more often
REMOVAL: Final = "RemoveApplication"
LIST: Final = "ManagedApplicationList"
# After these something goes on that their answers do not tell, or only how it begins.
ORDERS: Final = frozenset({"InstallApplication", "InstallEnterpriseApplication", "ApplyRedemptionCode"})
LEAVING: Final = (Device.Status.WIPE_PENDING, Device.Status.RETIRE_PENDING)


def removal(result: Result) -> Reading:
    """An acknowledged RemoveApplication says no more than that: which one it was stands in the command."""
    keys = plist.load_dict(result.rendered, max_bytes=LARGEST_STORED)["Command"]
    return Reading(gone=[installed.RemovedApplication(identifier=str(keys.get("Identifier", "")))])


def questions(target: Target) -> list[Request]:
    request = ManagedApplicationList()
    return [request] if why_not(request, target) is None else []


def known_on(channels: QuerySet[Channel]) -> QuerySet[Channel]:
    """Those of devices that have such applications, as far as we know; what declarations manage no answer lists."""
    known = ManagedApplication.objects.filter(device=OuterRef("enrollment__device"), is_declared=False)
    return channels.filter(Exists(known))


def follow(read: Iterable[tuple[Result, Reading | None]]) -> None:
    """Look again where something is under way.  Call it within the transaction that reads these answers.

    What is asked regularly begins nothing, or whoever never answers a prompt would be asked for ever.
    """
    begun = [(result.pk, result.channel.enrollment.device_id) for result, reading in read if _begins(result, reading)]
    if begun:
        _put_off(sorted({device for _, device in begun if device is not None}), chain=begun[0][0], look=0)


@transaction.atomic
def look_again(devices: Sequence[int], chain: int, look: int) -> None:
    """The first look is at all; the others at those where something is under way still."""
    waiting = set(devices)
    if look:  # nothing known: an order whose answer said nothing, and no list has since
        rows = ManagedApplication.objects.filter(device__in=devices, is_declared=False)
        known = list(rows.values_list("device", "state"))
        under_way = {device for device, state in known if state in installed.UNDER_WAY}
        waiting = under_way | (waiting - {device for device, _ in known})
    if not waiting:
        return
    _ask(sorted(waiting), timezone.now())
    if look + 1 < len(LOOKS):
        _put_off(sorted(waiting), chain=chain, look=look + 1)


def _begins(result: Result, reading: Reading | None) -> bool:
    if result.state != Command.State.ACKNOWLEDGED or result.is_routine or result.channel.user_key:
        return False
    if result.request_type in ORDERS and (reading is None or not reading.news):
        return True
    told = [*reading.news, *reading.lists.get(installed.ManagedApplication, ())] if reading is not None else []
    return any(each.state in installed.UNDER_WAY for each in told)


def _put_off(devices: Sequence[int], *, chain: int, look: int) -> None:
    """`chain`: a command that began it; a look that is begun twice, after a crash, is followed by one."""
    key = f"{KIND} {chain} {look}"
    run_at = timezone.now() + LOOKS[look]
    Job.enqueue(KIND, run_at=run_at, dedupe_key=key, devices=list(devices), chain=chain, look=look)


def _ask(devices: Sequence[int], now: datetime) -> None:
    """Those that have not told it a moment ago: what is ordered one after the other has looks of its own."""
    told = Device.objects.filter(pk__in=devices).exclude(status__in=LEAVING)
    received = told.values_list("pk", f"details__received__{LIST}")
    lately, at_last = (at.isoformat(timespec="microseconds") for at in (now - LATELY, now))
    asked = [pk for pk, at in received if not lately < (at or "") <= at_last]
    # locked: who ends one meanwhile waits, and then takes its commands out again
    enrollments = Enrollment.objects.active().select_for_update(no_key=True).filter(device__in=asked).order_by("pk")
    ids = list(enrollments.values_list("pk", flat=True))
    queue.ask(Channel.objects.filter(enrollment__in=ids, user_key=""), questions, is_routine=True)
