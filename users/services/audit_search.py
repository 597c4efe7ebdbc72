"""Entries of the audit log by what somebody looks for: in the list, and in an export of it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from django.apps import apps
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from epmm.indexed import IsSet
from epmm.models import AuditEntry
from epmm.portal.filters import Filter, days, narrowed, typed

NEWEST: Final = 1_000
MOST_DEVICES: Final = 20


def _recent_actions() -> Iterator[str]:
    """Among the newest entries: all of them would be a walk through the whole log."""
    yield from sorted(set(AuditEntry.objects.order_by("-at").values_list("action", flat=True)[:NEWEST]))


def _of_device(text: str) -> Q:
    """By the UUID of its record, which entries name, or by serial number or UDID as long as there is a record."""
    of_udid = Q(IsSet(F("udid")), udid=text)
    devices = apps.get_model("devices", "Device").objects.filter(Q(serial_number=text) | of_udid)
    uuids = {str(uuid) for uuid in devices.values_list("uuid", flat=True)[:MOST_DEVICES]}
    with suppress(ValueError):
        uuids.add(str(UUID(text)))
    return Q(subject_type="device", subject__in=sorted(uuids))


def _of_anything(text: str) -> Q:
    """By the words that have an index each."""
    return Q(actor=text) | Q(subject=text) | _of_device(text)


FILTERS: Final = (
    Filter(key="action", label=_("Actions"), lookup="action", known=_recent_actions, is_several=True),
    Filter(key="status", label=_("Status"), lookup="status", values=AuditEntry.Status.choices),
    Filter(key="actor", label=_("Actor"), lookup="actor"),
    Filter(key="subject", label=_("Subject"), lookup="subject"),
    Filter(
        key="device",
        label=_("Device"),
        lookup="subject",
        hint=_("Serial number, UDID or UUID."),
        means=_of_device,
    ),
    *days("at", since=_("From"), until=_("To")),
)
SEARCH: Final = Filter(key="q", label=_("Search"), lookup="subject", means=_of_anything)  # the list's box
ALL: Final = (*FILTERS, SEARCH)


def find(found: QuerySet[AuditEntry], text: str) -> QuerySet[AuditEntry]:
    return found.filter(_of_anything(text))


def chosen(asked: Mapping[str, str]) -> dict[str, str]:
    """What is set, by the names that the address has."""
    return {each.key: text for each in ALL if (text := typed(each, asked))}


def entries(asked: Mapping[str, str]) -> QuerySet[AuditEntry]:
    """`since` and `until` are moments, `statuses` several: scripts ask for them."""
    found = narrowed(AuditEntry.objects.all(), ALL, asked)
    if since := asked.get("since"):
        found = found.filter(at__gte=datetime.fromisoformat(since))
    if until := asked.get("until"):
        found = found.filter(at__lt=datetime.fromisoformat(until))
    statuses = asked.get("statuses")
    return found.filter(status__in=statuses.split(",")) if statuses else found


def actions() -> list[str]:
    """Those that have happened of late."""
    return list(_recent_actions())
