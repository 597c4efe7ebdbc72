"""Which devices a list shows: by expression, what somebody typed, status and label; retired ones when asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.lookups import Exact

from devices.models import Device, Label
from devices.search.sql import BesideIndex
from devices.services import hidden_fields, label_members, search

MOST_CHOSEN: Final = 1_000
RETIRED: Final = Device.Status.RETIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    expression: str = ""
    status: str = ""
    label: int | None = None
    person: int | None = None  # whose alone
    with_retired: bool = False

    def devices(self) -> QuerySet[Device]:
        """In no order.  Raises SearchRefused."""
        is_standing = self.status != RETIRED if self.status else not self.with_retired
        found = search.matching(self.expression, exclude_retired=is_standing)
        if self.label is not None and (label := Label.objects.filter(pk=self.label).first()):
            found = found.filter(label_members.condition(label))
        if self.person is not None:
            found = found.filter(user=self.person)
        return _of_status(found, self.status) if self.status in Device.Status.values else found


def _of_status(found: QuerySet[Device], status: str) -> QuerySet[Device]:
    return found.filter(Exact(BesideIndex("status", beside=("last_seen_at", "registered_at")), status))


def named(found: QuerySet[Device], text: str) -> QuerySet[Device]:
    """As a lone word of the search language is looked for; where parts of persons are hidden, in the rest alone."""
    word = text.replace("\\", " ").replace('"', " ").strip()
    if word and hidden_fields.words_tell():
        fields = [key for key in ("ios.DeviceName", "common.model_name") if not hidden_fields.is_hidden(key)]
        return found.filter(search.condition(" OR ".join(f'"{key}" "contains" "{word}"' for key in fields)))
    return found.filter(search.lone_word(text))


def parts(everything: QuerySet[Device]) -> list[QuerySet[Device]]:
    """Of all devices, retired ones among them.  Indexes by time hold the others alone, for retired ones pile up."""
    return [everything.filter(search.STANDING), everything.filter(status=RETIRED)]


def by_uuid(keys: Iterable[str]) -> QuerySet[Device]:
    """Those that are there; a key that is none names nothing."""
    return Device.objects.filter(uuid__in=[uuid for key in keys if (uuid := _uuid(key))])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
