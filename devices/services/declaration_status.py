"""Status reports: kept raw, put together by path, and read into the record of the device."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from devices.models import (
    Channel,
    ChannelStatus,
    DeclarationState,
    Device,
    Enrollment,
    Manifest,
)
from devices.models import StatusReport as StoredReport
from devices.protocol.commands import Kind
from devices.protocol.declarative.manifest import canonical
from devices.protocol.declarative.status import State, StateKey, StatusReport, merge, merge_errors
from devices.protocol.reading import Reading
from devices.protocol.status_items import CAPABILITIES, COLUMNS, personal, read_status
from devices.services import declaration_sets
from devices.services.record import Record, save

NAME: Final = "DeclarativeStatus"
MOST_BYTES: Final = 4 << 20  # of all that is known of one channel
_NEEDED: Final = (
    "uuid",
    "details",
    "os_version_number",
    "last_seen_at",
    *(column for column, _, _ in COLUMNS.values()),
)


def accept(channel: Channel, raw: bytes) -> None:
    """Raises WireError for what is no report; that changes nothing."""
    report = StatusReport.parse(raw)
    now = timezone.now()
    with transaction.atomic():
        row = declaration_sets.lock(channel)
        StoredReport.objects.keep(channel, raw)
        items = _store(channel, report, now)
        _store_states(channel, report, row.served_token, now)
        row.heard_at, row.capabilities = now, items.get(CAPABILITIES) or row.capabilities
        if report.full and row.token and report.states.keys() == _listed(row.token):
            # more than what we remember to have served: that may come from a backup
            row.served_token = row.token
        row.save(update_fields=["heard_at", "capabilities", "served_token"])
        _feed(channel, report, items, now)
        # It may be able to do more or less than was thought, and the set may have changed while it was at work.
        declaration_sets.refresh([channel.pk], announce=True)


def _store(channel: Channel, report: StatusReport, now: datetime) -> dict[str, Any]:
    kind = Kind(channel.enrollment.kind)
    status, _ = ChannelStatus.objects.get_or_create(channel=channel)
    merged = merge(status.items, report)
    if len(canonical(merged)) > MOST_BYTES:
        merged = report.items
    items = {path: value for path, value in merged.items() if not personal(path, kind)}
    status.items = items
    status.errors = merge_errors(status.errors, report)
    status.reported_at = now
    if report.full:
        status.full_at = now
    status.save()
    return items


def _store_states(channel: Channel, report: StatusReport, served: str, now: datetime) -> None:
    if not report.tells_states and not report.full:
        return
    rows = {StateKey(row.kind, row.identifier, row.server_token): row for row in _rows(channel)}
    gone = rows.keys() - report.states.keys()
    if gone and not report.full:
        listed = _listed(served)
        # what it does not repeat still stands, unless it is not to hold it any more
        gone = {key for key in gone if report.removes(key) or key not in listed}
    DeclarationState.objects.filter(pk__in=[rows[key].pk for key in gone]).delete()
    news = [
        DeclarationState(
            channel=channel,
            kind=key.kind,
            identifier=key.identifier,
            server_token=key.server_token,
            active=state.active,
            valid=state.valid,
            reasons=state.reasons,
            reported_at=now,
        )
        for key, state in report.states.items()
        if key not in rows or _state_of(rows[key]) != state
    ]
    DeclarationState.objects.bulk_create(
        news,
        update_conflicts=True,
        unique_fields=["channel", "kind", "identifier", "server_token"],
        update_fields=["active", "valid", "reasons", "reported_at"],
    )


def _rows(channel: Channel) -> Iterable[DeclarationState]:
    return DeclarationState.objects.filter(channel=channel)


def _state_of(row: DeclarationState) -> State:
    return State(active=row.active, valid=row.valid, reasons=row.reasons)


def _listed(token: str) -> set[StateKey]:
    items = Manifest.objects.filter(pk=token).values_list("items", flat=True).first() or []
    return {StateKey(*item) for item in items}


def _feed(channel: Channel, report: StatusReport, items: Mapping[str, Any], now: datetime) -> None:
    """Columns from what was told now: what was told earlier may be older than an answer to a command."""
    enrollment = channel.enrollment
    kind = Kind(enrollment.kind)
    told, known = read_status(report.items, kind), read_status(items, kind)
    if not (told.fields or told.rest) or enrollment.state != Enrollment.State.ACTIVE:
        return
    device = Device.objects.select_for_update().only(*_NEEDED).filter(pk=enrollment.device_id or 0).first()
    if device is None:
        return
    record = Record(device)
    record.seen(now)
    if channel.user_key:
        if record.receive(f"{NAME} {channel.user_key}", now):
            record.keep_for_user(channel.user_key, NAME, known.fields | known.rest)
    elif record.receive(NAME, now):
        record.keep(NAME, record.take(Reading(fields=told.fields, rest=known.rest), enrollment))
    save([record])
