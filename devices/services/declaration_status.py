"""Status reports: kept raw, put together by path, and read into the record of the device.

What is unread is an outbox, which the worker empties: a device waits for nothing but its report being kept.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from django.db import transaction
from django.db.models.functions import Length
from django.utils import timezone

from devices.models import (
    Channel,
    ChannelStatus,
    DeclarationSet,
    DeclarationState,
    Device,
    Enrollment,
    Manifest,
)
from devices.models import StatusReport as StoredReport
from devices.models.declaration import OFFER_STANDS
from devices.models.status_report import MOST_UNREAD, is_overtaken
from devices.protocol.commands import Kind
from devices.protocol.declarative.manifest import canonical
from devices.protocol.declarative.status import State, StateKey, StatusReport, merge, merge_errors
from devices.protocol.inventory import DEVICE_INFORMATION, SECURITY_INFO
from devices.protocol.reading import Reading
from devices.protocol.status_items import CAPABILITIES, COLUMNS, personal, read_status
from devices.services import declaration_sets, reported
from devices.services.outbox import Outbox, what_was_wrong
from devices.services.record import Record, save
from epmm import request_id
from epmm.gates import Overloaded
from epmm.given import update_each
from epmm.logging import inform

logger = logging.getLogger(__name__)

BATCH: Final = 500  # channels
TOGETHER: Final = 50
NAME: Final = "DeclarativeStatus"
MOST_BYTES: Final = 4 << 20  # of all that is known of one channel
_NEEDED: Final = (
    "uuid",
    "details",
    "os_version_number",
    "last_seen_at",
    *(column for column, _, _ in COLUMNS.values()),
)
_OF_SET: Final = (
    "token",
    "changed_at",
    "served_token",
    "heard_at",
    "capabilities",
    "channel__user_key",
    "channel__enrollment__kind",
    "channel__enrollment__state",
    "channel__enrollment__udid",
    "channel__enrollment__device_id",
)
# What answers to commands tell, too: they wait in an outbox of their own.
_ALSO_ANSWERED: Final = {
    "DeviceInformation": {column for column, _ in DEVICE_INFORMATION.values()},
    "SecurityInfo": {column for column, _ in SECURITY_INFO.values()},
}
Listed: TypeAlias = Mapping[str, Collection[StateKey]]  # by token


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrived:
    key: int
    at: datetime
    row: DeclarationSet  # of its channel, locked
    report: StatusReport
    is_overtaken: bool

    @property
    def enrollment(self) -> Enrollment:
        return self.row.channel.enrollment


class _Items(NamedTuple):
    """What a channel has told, by path."""

    before: Mapping[str, Any]
    now: Mapping[str, Any]


def accept(channel: Channel, raw: bytes, *, came_at: datetime | None = None) -> None:
    """Keep it for the worker.  Raises WireError for what is no report, and Overloaded where too many wait already; that
    changes nothing.
    """
    StatusReport.parse(raw)
    came_at = came_at or timezone.now()
    with transaction.atomic():
        row, now = declaration_sets.lock(channel), timezone.now()
        if StoredReport.objects.unread().filter(channel=channel)[:MOST_UNREAD].count() == MOST_UNREAD:
            raise Overloaded
        row.heard_at = max(row.heard_at or now, now)
        row.save(update_fields=["heard_at"])
        StoredReport.objects.create(channel=channel, body=raw, received_at=now, came_at=came_at)


def waiting() -> bool:
    return StoredReport.objects.unread().exists()


def read_waiting() -> int:
    """Read until nothing is left of what waits now, however many of one channel; return how many are done with.

    What comes meanwhile from other channels is read along.
    """
    newest = StoredReport.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    these = StoredReport.objects.unread().filter(pk__lte=newest)
    done = 0
    while these.exists() and (read := read_reports()):
        done += read
    return done


def read_reports(limit: int = BATCH) -> int:
    """Read the oldest reports that wait, of each channel the first alone; return how many are done with.

    A report stays unread until all that follows from it stands: killed in between, a worker loses nothing.
    """
    oldest = StoredReport.objects.unread().order_by("pk").values_list("channel_id", "pk")
    first: dict[int, int] = {}
    for channel, key in oldest[: limit * MOST_UNREAD]:  # which are of as many channels, at least
        first.setdefault(channel, key)
    keys = list(first.values())[:limit]
    sizes = StoredReport.objects.filter(pk__in=keys).order_by("pk").values_list("pk", Length("body"))
    return OUTBOX.work(dict(sizes))


def _read(keys: Sequence[int]) -> int:
    """At most one of each channel.  Parsed before anything is locked: on SQLite one lock holds up the door."""
    found = list(
        StoredReport.objects.unread()
        .filter(pk__in=keys)
        .values_list("pk", "channel_id", "received_at", "body", "channel__declaration_set")
    )
    parsed = {channel: (key, at, StatusReport.parse(bytes(body))) for key, channel, at, body, _ in found}
    without_set = [channel for _, channel, _, _, row in found if not row]
    with transaction.atomic():
        arrived = _lock(parsed, without_set)
        _take_in([each for each in arrived if not each.is_overtaken])
        channels = [each.row.pk for each in arrived]
        StoredReport.objects.filter(pk__in=[each.key for each in arrived]).update(is_read=True)
        StoredReport.objects.forget_old(channels)
        # They may be able to do more or less than was thought, and sets may have changed while they were at work.
        declaration_sets.refresh(channels, announce=True)
    for each in arrived:
        about = {"report": each.key, "device": each.enrollment.device_id}
        inform(logger, "a status report was read", about, request_id.current())
    return len(arrived)


def _lock(parsed: Mapping[int, tuple[int, datetime, StatusReport]], without_set: Sequence[int]) -> list[_Arrived]:
    """Whoever reads reports of a channel holds its set.  One that is held is left for later: so its reports are read in
    their order, and each once.
    """
    made = [DeclarationSet(channel_id=channel) for channel in sorted(without_set)]
    DeclarationSet.objects.bulk_create(made, ignore_conflicts=True)
    rows = DeclarationSet.objects.select_related("channel__enrollment").only(*_OF_SET).filter(pk__in=parsed)
    locked = list(rows.select_for_update(skip_locked=True, of=("self",)).order_by("pk"))
    keys = [parsed[row.pk][0] for row in locked]
    unread = dict(StoredReport.objects.unread().filter(pk__in=keys).values_list("pk", is_overtaken()))
    return [
        _Arrived(key=key, at=at, row=row, report=report, is_overtaken=unread[key])
        for row in locked
        for key, at, report in [parsed[row.pk]]
        if key in unread
    ]


def _take_in(arrived: Sequence[_Arrived]) -> None:
    items = _store(arrived)
    tokens = {token for each in arrived for token in (each.row.token, each.row.served_token)}
    manifests = Manifest.objects.filter(pk__in=tokens).values_list("pk", "items")
    listed = {token: {StateKey(*item) for item in listed} for token, listed in manifests}
    _store_states(arrived, listed)
    changed = [each.row for each in arrived if _learns(each, items[each.row.pk].now, listed)]
    update_each(changed, ["capabilities", "served_token"])
    _feed(arrived, items)


def _store(arrived: Sequence[_Arrived]) -> dict[int, _Items]:
    known = ChannelStatus.objects.in_bulk([each.row.pk for each in arrived])
    new: list[ChannelStatus] = []
    same: list[ChannelStatus] = []
    told: dict[int, _Items] = {}
    for each in arrived:
        status = known.get(each.row.pk) or ChannelStatus(channel_id=each.row.pk)
        items = _items(status, each)
        errors = _fitting(merge_errors(status.errors, each.report), each.report.errors)
        is_same = each.row.pk in known and (items, errors) == (status.items, status.errors)
        (same if is_same else new).append(status)
        told[each.row.pk] = _Items(status.items, items)
        status.items, status.errors, status.reported_at = items, errors, each.at
        if each.report.full:
            status.full_at = each.at
    ChannelStatus.objects.bulk_create(
        new,
        update_conflicts=True,
        unique_fields=["channel"],
        update_fields=["items", "errors", "reported_at", "full_at"],
    )
    update_each(same, ["reported_at", "full_at"])
    return told


def _items(status: ChannelStatus, arrived: _Arrived) -> dict[str, Any]:
    report, kind = arrived.report, Kind(arrived.enrollment.kind)
    known: dict[str, Any] = status.items
    if not report.items and not report.full:
        return known
    fitting = _fitting(merge(known, report), report.items)
    return {path: value for path, value in fitting.items() if not personal(path, kind)}


def _fitting(*versions: dict[str, Any]) -> dict[str, Any]:
    """The first that is not too large: what grows without end begins anew."""
    return next((each for each in versions if len(canonical(each)) <= MOST_BYTES), {})


def _store_states(arrived: Sequence[_Arrived], listed: Listed) -> None:
    telling = {each.row.pk: each for each in arrived if each.report.tells_states or each.report.full}
    known: dict[int, dict[StateKey, tuple[int, State]]] = {channel: {} for channel in telling}
    columns = ("channel_id", "pk", "kind", "identifier", "server_token", "active", "valid", "reasons")
    for channel, pk, *key, active, valid, reasons in DeclarationState.objects.filter(channel__in=telling).values_list(
        *columns
    ):
        known[channel][StateKey(*key)] = pk, State(active=active, valid=valid, reasons=reasons)
    gone = [
        known[channel][key][0]
        for channel, each in telling.items()
        for key in known[channel].keys() - each.report.states.keys()
        # what it does not repeat still stands, unless it is not to hold it any more
        if each.report.full or each.report.removes(key) or key not in listed.get(each.row.served_token, ())
    ]
    news = [
        DeclarationState(
            channel_id=channel,
            **key._asdict(),
            active=state.active,
            valid=state.valid,
            reasons=state.reasons,
            reported_at=each.at,
        )
        for channel, each in telling.items()
        for key, state in each.report.states.items()
        if key not in known[channel] or known[channel][key][1] != state
    ]
    DeclarationState.objects.filter(pk__in=gone).delete()
    DeclarationState.objects.bulk_create(
        news,
        update_conflicts=True,
        unique_fields=["channel", "kind", "identifier", "server_token"],
        update_fields=["active", "valid", "reasons", "reported_at"],
    )


def _learns(arrived: _Arrived, items: Mapping[str, Any], listed: Listed) -> bool:
    """Whether its set says something else now of what it can, or of what it holds."""
    row, report = arrived.row, arrived.report
    before = row.capabilities, row.served_token
    row.capabilities = items.get(CAPABILITIES) or row.capabilities
    if report.full and row.token and report.states.keys() == listed.get(row.token, set()) and _still_holds(arrived):
        # more than what we remember to have served: that may come from a backup
        row.served_token = row.token
    return before != (row.capabilities, row.served_token)


def _still_holds(arrived: _Arrived) -> bool:
    """Whether nothing but the set of now can have been served since the report came, which was some time ago.

    Nothing at all, if nothing was heard since.  Or nothing else: the set has not changed since, and had not for as long
    as an offer of another one would have stood.  What remains is told by the full report of the next day.
    """
    row = arrived.row
    is_last_word = row.heard_at is None or row.heard_at <= arrived.at
    return is_last_word or row.changed_at <= arrived.at - OFFER_STANDS


def _feed(arrived: Sequence[_Arrived], items: Mapping[int, _Items]) -> None:
    """Columns and rows from what was told now: what was told earlier may be older than an answer to a command.

    A list of a Mac's user has no table.
    """
    told = []
    for each in arrived:
        reading = read_status(each.report.items, Kind(each.enrollment.kind))
        lists = {} if each.row.channel.user_key else reported.lists_of(each.report, items[each.row.pk].before)
        if (reading.fields or reading.rest or lists) and each.enrollment.state == Enrollment.State.ACTIVE:
            told.append((each, reading, lists))
    ids = {each.enrollment.device_id or 0 for each, *_ in told}
    devices = Device.objects.select_for_update().only(*_NEEDED).filter(pk__in=ids).order_by("pk")
    records = {device.pk: Record(device) for device in devices}
    listed: list[reported.Told] = []
    for each, reading, lists in told:
        record = records.get(each.enrollment.device_id or 0)
        known = read_status(items[each.row.pk].now, Kind(each.enrollment.kind))
        if record is not None and _feed_one(record, each, reading, known):
            listed += [
                reported.Told(record=record, at=each.at, path=path, news=news, before=before)
                for path, (news, before) in lists.items()
            ]
    reported.feed(listed)
    save(records.values())


def _feed_one(record: Record, arrived: _Arrived, told: Reading, known: Reading) -> bool:
    """False for a report older than one already read."""
    user_key = arrived.row.channel.user_key
    record.seen(arrived.at)
    if not record.receive(f"{NAME} {user_key}".rstrip(), arrived.at):
        return False
    if user_key:
        record.keep_for_user(user_key, NAME, known.fields | known.rest)
    else:
        fields = {column: value for column, value in told.fields.items() if not _is_outdated(column, record, arrived)}
        record.keep(NAME, record.take(Reading(fields=fields, rest=known.rest), arrived.enrollment))
    return True


def _is_outdated(column: str, record: Record, arrived: _Arrived) -> bool:
    """A command was answered after the report came, and that answer was read before it."""
    return any(
        column in columns and record.has_newer(request_type, arrived.at)
        for request_type, columns in _ALSO_ANSWERED.items()
    )


def _set_aside(key: int, error: Exception) -> None:
    """It is kept as it came, and tried no more; the log says so."""
    row = StoredReport.objects.unread().filter(pk=key)
    device = row.values_list("channel__enrollment__device_id", flat=True).first()
    if row.update(is_read=True):
        about = {"report": key, "device": device, **what_was_wrong(error)}
        logger.error("a status report cannot be read", extra=about)


OUTBOX: Final = Outbox(read=_read, read_large=lambda key: _read([key]), set_aside=_set_aside, together=TOGETHER)
