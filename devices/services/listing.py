"""Which devices a list shows: by expression, what somebody typed, status and label; retired ones when asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from devices.models import Device, Label
from devices.services import label_members, search

MOST_CHOSEN: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    expression: str = ""
    status: str = ""
    label: int | None = None
    with_retired: bool = False

    def devices(self) -> QuerySet[Device]:
        """In no order.  Raises SearchRefused."""
        found = search.matching(self.expression, exclude_retired=not (self.with_retired or self.status))
        if self.label is not None and (label := Label.objects.filter(pk=self.label).first()):
            found = found.filter(label_members.condition(label))
        return found.filter(status=self.status) if self.status in Device.Status.values else found


def named(found: QuerySet[Device], text: str) -> QuerySet[Device]:
    """As a lone word of the search language is looked for."""
    return found.filter(search.lone_word(text))


def by_uuid(keys: Iterable[str]) -> QuerySet[Device]:
    """Those that are there; a key that is none names nothing."""
    return Device.objects.filter(uuid__in=[uuid for key in keys if (uuid := _uuid(key))])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
