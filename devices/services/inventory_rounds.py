"""Managed devices are asked for their inventory every so often, and so are heard of at least that often.

Each enrollment is looked at once in that time, whatever others ask it, and whoever has waited longest comes first.  One
that does not answer has its questions in the queue already, and gets no others.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from devices.models import Channel, Device, Enrollment
from devices.protocol.commands import first_inventory
from devices.services import managed_applications, pace, queue
from epmm import options, settings_store

EVERY: Final = timedelta(minutes=1)
AT_ONCE: Final = 100


def ask_where_due() -> None:
    age = timedelta(hours=settings_store.read(options.INVENTORY_HOURS))
    if not age:
        return
    now = timezone.now()
    # by a clock that was ahead
    Enrollment.objects.active().filter(inventory_asked_at__gt=now + EVERY).update(inventory_asked_at=now - age)
    left = pace.turn(age, EVERY)
    while left > 0 and (looked_at := _ask_some(now - age, now, min(left, AT_ONCE))):
        left -= looked_at


@transaction.atomic
def _ask_some(before: datetime, now: datetime, limit: int) -> int:
    """How many were looked at."""
    # locked: who ends one meanwhile waits, and then takes its commands out again
    ids = list(_due(before).select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)[:limit])
    Enrollment.objects.filter(pk__in=ids).update(inventory_asked_at=now)
    channels = Channel.objects.filter(enrollment__in=ids, user_key="", enrollment__device__isnull=False)
    leaving = (Device.Status.WIPE_PENDING, Device.Status.RETIRE_PENDING)
    asked = channels.exclude(enrollment__device__status__in=leaving)
    queue.ask(asked, first_inventory, is_routine=True)
    queue.ask(managed_applications.known_on(asked), managed_applications.questions, is_routine=True)
    return len(ids)


def _due(before: datetime) -> QuerySet[Enrollment]:
    active = Enrollment.objects.active().filter(inventory_asked_at__lte=before)
    return active.order_by("inventory_asked_at", "pk")
