"""Which devices a list shows: by what somebody typed, by status, by label; retired ones only when asked for."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.lookups import Exact

from devices.models import Device, Label
from devices.search.sql import BesideIndex
from devices.services import label_members, search

MOST_CHOSEN: Final = 1_000
RETIRED: Final = Device.Status.RETIRED


def devices(*, status: str = "", label: int | None = None, with_retired: bool = False) -> QuerySet[Device]:
    if label is not None and (found := Label.objects.filter(pk=label).first()):
        members = label_members.members(found)
        listed = members if with_retired or status else members.not_retired()  # type: ignore[attr-defined] # as of its manager
    else:
        listed = search.matching("", exclude_retired=not with_retired if not status else status != RETIRED)
    return _of_status(listed, status) if status in Device.Status.values else listed


def _of_status(found: QuerySet[Device], status: str) -> QuerySet[Device]:
    """Most devices are active: the list is full sooner by looking through them in its order."""
    is_common = status == Device.Status.ACTIVE
    return found.filter(Exact(BesideIndex("status"), status)) if is_common else found.filter(status=status)


def named(found: QuerySet[Device], text: str) -> QuerySet[Device]:
    """As a lone word of the search language is looked for, whatever signs are in it."""
    word = text.replace("\\", " ").replace('"', " ").strip()
    return found.filter(search.condition(f'"{word}"')) if word else found


def by_uuid(keys: Iterable[str]) -> QuerySet[Device]:
    """Those that are there; a key that is none names nothing."""
    return Device.objects.filter(uuid__in=[uuid for key in keys if (uuid := _uuid(key))])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
