"""Whose device is shut out since its certificate expired, or will be soon."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from devices import events
from devices.models import Enrollment, Identity
from epmm.events import is_wanted
from epmm.expiry import SOON

AT_ONCE: Final = 500


def ending(now: datetime) -> QuerySet[Identity]:
    """Of managed devices; the expired as well."""
    current = Identity.objects.filter(state=Identity.State.CURRENT, not_after__lte=now + SOON)
    active = Enrollment.objects.active().filter(pk=OuterRef("enrollment"))
    return current.filter(Exists(active))  # not joined: SQLite would begin with the enrollments, which all are active


def counted(now: datetime, *, cap: int) -> tuple[int, int]:
    """The expired, and those that follow within the time; of the first `cap`."""
    first = ending(now).order_by("not_after", "pk")[:cap]
    found = first.aggregate(every=Count("pk"), expired=Count("pk", filter=Q(not_after__lte=now)))
    return found["expired"], found["every"] - found["expired"]


def warn(now: datetime) -> None:
    """Tell webhooks of each once, before it ends."""
    while is_wanted(events.EXPIRING) and _warn_of_some(now) == AT_ONCE:
        pass


@transaction.atomic
def _warn_of_some(now: datetime) -> int:
    untold = ending(now).filter(not_after__gt=now, warned_at=None).order_by("not_after", "pk")
    locked = untold.select_related("enrollment__device__user").select_for_update(skip_locked=True, of=("self",))
    identities = list(locked.defer("der", "enrollment__unlock_token", "enrollment__bootstrap_token")[:AT_ONCE])
    events.certificates_expiring(identities, now)
    Identity.objects.filter(pk__in=[identity.pk for identity in identities]).update(warned_at=now)
    return len(identities)
