"""Whose device is shut out since its certificate expired, or will be soon."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from devices.models import Enrollment, Identity

SOON: Final = timedelta(days=30)


def ending(now: datetime) -> QuerySet[Identity]:
    """Of managed devices; the expired as well."""
    current = Identity.objects.filter(state=Identity.State.CURRENT, not_after__lt=now + SOON)
    active = Enrollment.objects.active().filter(pk=OuterRef("enrollment"))
    return current.filter(Exists(active))  # not joined: SQLite would begin with the enrollments, which all are active


def counted(now: datetime, *, cap: int) -> tuple[int, int]:
    """The expired, and those that follow within the time; of the first `cap`."""
    first = ending(now).order_by("not_after", "pk")[:cap]
    found = first.aggregate(every=Count("pk"), expired=Count("pk", filter=Q(not_after__lte=now)))
    return found["expired"], found["every"] - found["expired"]
