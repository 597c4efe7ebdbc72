"""When devices were last heard of."""

from typing import Final

from django.db import transaction
from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from devices.models import Channel, Device, Enrollment

CHUNK: Final = 500


def copy_last_seen() -> int:
    """Bring the searchable copy up to what the door has noted with the channels; return how many changed.

    The door's column must stand in no index, so this looks at every channel; it writes only what is behind.
    """
    heard = Channel.objects.filter(
        enrollment__state=Enrollment.State.ACTIVE, enrollment__device__isnull=False, last_seen_at__isnull=False
    )
    copy_is_old = Q(enrollment__device__last_seen_at__lt=F("last_seen_at"))
    behind = heard.filter(Q(enrollment__device__last_seen_at=None) | copy_is_old)
    ids = list(behind.values_list("enrollment__device_id", flat=True).distinct())
    of_device = heard.filter(enrollment__device=OuterRef("pk")).values("enrollment__device")
    latest = Subquery(of_device.annotate(latest=Max("last_seen_at")).values("latest"))
    for start in range(0, len(ids), CHUNK):
        _move(Device.objects.filter(pk__in=ids[start : start + CHUNK]), latest)
    return len(ids)


@transaction.atomic
def _move(devices: QuerySet[Device], latest: Subquery) -> None:
    list(devices.select_for_update().order_by("pk").values_list("pk"))  # the order of whoever locks several of them
    # an enrollment that ends in between leaves no contact to copy
    devices.update(last_seen_at=Coalesce(latest, F("last_seen_at")))
