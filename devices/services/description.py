"""What the search reads of a device, where something else than the device changes it."""

from collections.abc import Collection
from typing import Final

from django.db import transaction
from django.utils import timezone

from devices.models import Device
from devices.models.device import DESCRIPTION
from epmm.given import update_each

CHUNK: Final = 500


def people_named(users: Collection[int]) -> None:
    """Records hold copies of their person's names; labels may ask for names that are not copied, so all are touched."""
    last = 0
    while some := _describe(users, last):
        last = some


def describe_new() -> None:
    """Records of a release that does not know the columns: while two releases serve."""
    while some := list(Device.objects.filter(user_id_folded="").select_related("user").order_by("pk")[:CHUNK]):
        for device in some:
            device.describe(copy_user=True)
        update_each(some, sorted(DESCRIPTION))


@transaction.atomic
def _describe(users: Collection[int], last: int) -> int:
    """The last key; zero when there are no more."""
    devices = Device.objects.select_for_update(of=("self",)).filter(user__in=users, pk__gt=last)
    some = list(devices.select_related("user").order_by("pk")[:CHUNK])
    for device in some:
        device.describe(copy_user=True)
        device.modified_at = timezone.now()
    if not some:
        return 0
    update_each(some, sorted({*DESCRIPTION, "modified_at"}))
    return some[-1].pk
