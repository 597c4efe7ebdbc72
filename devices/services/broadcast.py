"""One command to many devices: chosen once, queued in bites by statements over whole sets, watched and called back.

A bite is a transaction: killed in between, the worker goes on after the last one.  Devices that are alike
(`LOOKED_AT`) get one payload, or one refusal; each gets a command of its own.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Exists, F, Func, OuterRef, Q, QuerySet, UUIDField, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Broadcast, Channel, Command, Device, Enrollment, FinishedCommand, Payload, Result
from devices.protocol import commands
from devices.services import departure, queue
from devices.services import selection as selections
from devices.services.queue import CommandRefused
from devices.services.selection import SelectionRefused
from devices.services.target import LOOKED_AT, target_of
from devices.services.wording import worded
from epmm import audit
from epmm.models import Job
from epmm.turns import Turn
from epmm.wire import plist
from epmm.wire.limits import LARGEST_STORED

logger = logging.getLogger(__name__)
QUEUE: Final = "devices.broadcast"
CALL_BACK: Final = "devices.call_back"
LARGE: Final = 1000  # commands; fewer are counted whenever somebody looks
BITE: Final = 5000  # devices in one transaction
ANYWHERE: Final = [
    commands.Target(platform=platform, kind=kind, supervised=True)
    for platform in commands.Platform
    for kind in commands.Kind
]
_COLUMNS: Final = (
    "uuid", "channel_id", "payload_id", "broadcast_id", "request_type", "state", "priority", "is_partial",
    "not_now_count", "created_at", "push_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Devices: how many got a command or a refusal, and what became of the commands."""

    queued: int
    refused: int
    open: int
    acknowledged: int
    failed: int
    cancelled: int
    is_complete: bool  # everybody has been looked at


def begin(
    request_type: str,
    *,
    selection: Mapping[str, Any],
    actor: str,
    payload: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> Broadcast:
    """Write it down; the worker queues the commands.  `selection`: see there; none: every managed device."""
    try:
        chosen = selections.checked(selection)
    except SelectionRefused as refused:
        raise CommandRefused(str(refused)) from refused
    _check(request_type, payload, chosen)
    written = None if payload is None else plist.dump(payload)
    with transaction.atomic():
        row = Broadcast.objects.create(request_type=request_type, request=written, selection=chosen, actor=actor)
        audit.record(
            "broadcast.begun",
            actor=actor,
            address=address,
            subject_type="broadcast",
            subject=str(row.uuid),
            details={"request_type": request_type, "selection": selections.told(chosen)},
        )
        Job.enqueue(QUEUE, broadcast=row.pk)
    return row


def _check(request_type: str, payload: Mapping[str, Any] | None, selection: Mapping[str, Any]) -> None:
    """What no device could take is told at once, and not by each of them."""
    if commands.is_personal(request_type):
        raise CommandRefused(
            _("{command} says something else to each device: send it to one at a time.").format(command=request_type)
        )
    platform, kind = selection.get("platform"), selection.get("enrollment_type")
    meant = [at for at in ANYWHERE if platform in (None, at.platform) and kind in (None, at.kind)]
    if sentence := commands.why_nowhere(request_type, payload, meant):
        raise CommandRefused(worded(sentence))
    queue.render(commands.AnyRequest(request_type=request_type, payload=payload or {}))


def work(broadcast_id: int) -> None:
    turn = Turn(QUEUE, broadcast=broadcast_id)
    while _bite(broadcast_id):
        if turn.is_over():
            return


@transaction.atomic
def cancel(row: Broadcast, *, actor: str, address: str | None = None) -> int:
    """Queue no more of it, and have the worker call back what is open; return how many commands that are."""
    Broadcast.objects.filter(pk=row.pk, cancelled_at=None).update(cancelled_at=timezone.now())
    audit.record("broadcast.cancelled", actor=actor, address=address, subject_type="broadcast", subject=str(row.uuid))
    Job.enqueue(CALL_BACK, broadcast=row.pk)
    return Command.objects.open().filter(broadcast=row).count()


def call_back(broadcast_id: int) -> None:
    """In bites: killed in between, the worker goes on with what is still open."""
    turn = Turn(CALL_BACK, broadcast=broadcast_id)
    while _call_back_some(broadcast_id):
        if turn.is_over():
            return


def progress(row: Broadcast) -> Progress:
    """Counted where the commands stand: nothing that could disagree with them."""
    row.refresh_from_db()
    return _progress(row, _known(row)) if row.outcome is not None else _counted([row])[row.pk]


def _progress(row: Broadcast, states: Counter[int]) -> Progress:
    state = Command.State
    return Progress(
        queued=row.queued,
        refused=row.refused,
        open=states[state.QUEUED] + states[state.OFFERED] + states[state.NOT_NOW],
        acknowledged=states[state.ACKNOWLEDGED],
        failed=states[state.ERROR] + states[state.FORMAT_ERROR],
        cancelled=states[state.CANCELLED],
        is_complete=row.queued_at is not None or row.cancelled_at is not None,
    )


def progress_of(rows: Sequence[Broadcast]) -> dict[int, Progress]:
    """Of many at once: three questions, however many there are, about those that nobody has counted yet."""
    known = {row.pk: _progress(row, _known(row)) for row in rows}
    running = [row for row in rows if row.outcome is None and row.tally is None]
    return known | (_counted(running) if running else {})


def tally() -> None:
    """Large ones are counted by the worker: a page does not wait for what hundreds of thousands have answered."""
    large = list(Broadcast.objects.watched().filter(outcome__isnull=True, queued__gte=LARGE))
    for pk, states in _states(large).items():
        Broadcast.objects.filter(pk=pk, outcome__isnull=True).update(tally=states)


def _known(row: Broadcast) -> Counter[int]:
    states = row.tally if row.outcome is None else row.outcome
    return Counter({int(state): count for state, count in (states or {}).items()})


def settle() -> None:
    """Keep what came of those that are over: they are counted once more, and then no more."""
    standing = Q(queued_at__isnull=False) | Q(cancelled_at__isnull=False)
    waiting = (Exists(rows.objects.filter(broadcast=OuterRef("pk"))) for rows in (Command, Result))
    over = Broadcast.objects.watched().filter(standing, *(~each for each in waiting), outcome__isnull=True)
    for row in over.order_by("pk"):
        finished = FinishedCommand.objects.filter(broadcast=row).order_by().values_list("state")
        Broadcast.objects.filter(pk=row.pk).update(outcome=dict(finished.annotate(n=Count("*"))))


def _counted(rows: Sequence[Broadcast]) -> dict[int, Progress]:
    states = _states(rows)
    return {row.pk: _progress(row, states[row.pk]) for row in rows}


def _states(rows: Sequence[Broadcast]) -> dict[int, Counter[int]]:
    states: dict[int, Counter[int]] = {row.pk: Counter() for row in rows}
    finished = FinishedCommand.objects.filter(broadcast__in=rows).order_by().values_list("broadcast", "state")
    for broadcast_id, state, count in finished.annotate(n=Count("*")):  # the index has all but the key
        states[broadcast_id][state] += count
    for broadcast_id, state in Result.objects.filter(broadcast__in=rows).values_list("broadcast", "state"):
        states[broadcast_id][state] += 1
    waiting = Command.objects.filter(broadcast__in=rows).order_by().values_list("broadcast", "state")
    for broadcast_id, state, count in waiting.annotate(n=Count("*")):
        states[broadcast_id][state] += count
    return states


def find(uuid: str) -> Broadcast:
    try:
        return Broadcast.objects.watched().get(uuid=UUID(uuid))
    except (ValueError, Broadcast.DoesNotExist) as error:
        raise CommandRefused(_("There is no broadcast {uuid}.").format(uuid=uuid)) from error


# --- One bite ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def _bite(broadcast_id: int) -> bool:
    """False when there is nothing left to do."""
    row = Broadcast.objects.select_for_update().get(pk=broadcast_id)
    if row.queued_at is not None or row.cancelled_at is not None:
        return False
    # read once: what changes meanwhile must not move a device from one group to the next
    chosen = _chosen(row).order_by("enrollment__device_id")
    found = list(chosen.values_list("pk", "enrollment__device_id", "enrollment", *LOOKED_AT)[:BITE])
    standing = _standing({enrollment for _, _, enrollment, *_ in found})
    groups: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for pk, _device, enrollment, *alike in found:
        if enrollment in standing:
            groups[tuple(alike)].append(pk)
    for channels in groups.values():
        _queue(row, channels)
    if found:
        row.next_device = found[-1][1]
    if len(found) < BITE:
        row.queued_at = timezone.now()
    row.save(update_fields=["next_device", "queued_at", "queued", "refused", "refusals"])
    told = {"broadcast": str(row.uuid), "request_type": row.request_type, "queued": row.queued}
    logger.info("commands of a broadcast were queued", extra=told)
    return row.queued_at is None


def _chosen(row: Broadcast) -> QuerySet[Channel]:
    """The device channels of what is managed, of those that have not been looked at."""
    channels = Channel.objects.filter(
        user_key="", enrollment__state=Enrollment.State.ACTIVE, enrollment__device_id__gt=row.next_device
    )
    named = {name: value for name, value in row.selection.items() if name in selections.COLUMNS}
    channels = channels.filter(**{f"enrollment__device__{name}": value for name, value in named.items()})
    said = selections.condition(row.selection)
    return channels if said is None else channels.filter(enrollment__device__in=Device.objects.filter(said))


def _standing(enrollments: Collection[int]) -> set[int]:
    """Locked: who ends one meanwhile waits, and then takes its command out again."""
    active = Enrollment.objects.active().select_for_update(no_key=True).filter(pk__in=enrollments)
    return set(active.order_by("pk").values_list("pk", flat=True))


def _queue(row: Broadcast, ids: Sequence[int]) -> None:
    """For channels that are alike."""
    target = target_of(Channel.objects.select_related("enrollment__device").get(pk=ids[0]))
    try:
        request, said = _said(row, target)
    except CommandRefused as refused:
        row.refused += len(ids)
        row.refusals[str(refused)] = row.refusals.get(str(refused), 0) + len(ids)
        return
    channels = Channel.objects.filter(pk__in=ids)
    row.queued += _insert(row, channels, said, is_partial=commands.is_partial(request, target))
    if status := departure.status_of(request, target):
        leaving = Device.objects.enrolled().filter(enrollments__channels__in=channels).exclude(status=departure.WIPE)
        Device.objects.filter(pk__in=leaving.values("pk")).update(status=status, modified_at=timezone.now())


def _said(row: Broadcast, target: commands.Target) -> tuple[commands.Request, Payload]:
    payload = None if row.request is None else plist.load_dict(row.request, max_bytes=LARGEST_STORED)
    request = commands.by_name(row.request_type, payload, target)
    if sentence := commands.why_not_as_written(request, target):
        raise CommandRefused(sentence)
    (said,) = Payload.objects.of([queue.render(request)])
    return request, said


def _insert(row: Broadcast, channels: QuerySet[Channel], said: Payload, *, is_partial: bool) -> int:
    """However many channels, one statement."""
    now = Value(timezone.now())
    values = {
        "uuid": _RandomUuid(), "channel_id": F("pk"), "payload_id": Value(said.pk), "broadcast_id": Value(row.pk),
        "request_type": Value(row.request_type), "state": Value(Command.State.QUEUED.value),
        "priority": Value(commands.priority_of(row.request_type)), "is_partial": Value(is_partial),
        "not_now_count": Value(0), "created_at": now, "push_at": now,
    }  # fmt: skip
    named = {f"new_{name}": values[name] for name in _COLUMNS}
    query = channels.order_by("enrollment__device_id").annotate(**named).values_list(*named).query
    select, parameters = query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO devices_command ({', '.join(_COLUMNS)}) {select}", parameters)
        return int(cursor.rowcount)


class _RandomUuid(Func):
    """Made by the database, in the form in which Django keeps it there (RFC 9562, version 4)."""

    output_field = UUIDField()
    function = "gen_random_uuid"
    template = "%(function)s()"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        parts = (
            "hex(randomblob(6))", "'4'", "substr(hex(randomblob(2)), 2)", "substr('89AB', 1 + (random() & 3), 1)",
            "substr(hex(randomblob(2)), 2)", "hex(randomblob(6))",
        )  # fmt: skip
        return super().as_sql(compiler, connection, template=f"lower({' || '.join(parts)})", **context)


@transaction.atomic
def _call_back_some(broadcast_id: int) -> bool:
    """False when there was nothing left.  Whoever was to leave by one stays."""
    called_back = Command.objects.filter(broadcast=broadcast_id).select_related(*departure.NEEDED).call_back()
    departure.refuse(*called_back)
    return bool(called_back)
