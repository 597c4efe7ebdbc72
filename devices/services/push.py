"""Waking devices: what is to be pushed follows from the queue, so a push that got lost is only a push that is due.

Each open command says when its device is to be woken for it (`Command.push_at`), and so does a device that is to
connect without one (`Wake.at`).  A batch of channels is leased, and that moment moved a little into the future; what
came of it moves it again.  APNs keeps one push for each device.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Model, Q, QuerySet, When
from django.db.models.functions import Least
from django.utils import timezone

from devices import apns
from devices.models import Channel, Command, Device, Enrollment, PushCertificate, Wake
from devices.models.command import LONGEST_NOT_NOW, CommandQuerySet
from devices.protocol.push import Outcome, Push, Verdict, expiration
from devices.services import push_certificates
from devices.services.push_certificates import PushCredentials
from epmm import metrics, request_id
from epmm.logging import inform
from epmm.models import Job

BATCH: Final = 2000  # channels
UNREACHABLE: Final = timedelta(days=1)  # looked at again after this, or as soon as `revive` says
LEASE: Final = timedelta(minutes=1)  # a worker that died gives its batch back after this
WINDOW: Final = timedelta(seconds=5)  # never twice within it
LONGEST_PAUSE: Final = timedelta(hours=1)  # after failures that pass; each doubles it
DOUBLED: Final = 5  # failures, from which on it is the longest
FURTHEST: Final = timedelta(days=1, hours=1)  # nothing is put off so long: it was, by a clock that was ahead
AHEAD: Final = timedelta(minutes=1)  # another machine's clock may be, by as much
AFTER: Final[Mapping[Verdict, timedelta]] = {
    Verdict.ACCEPTED: timedelta(days=1),  # still unanswered then: the push is repeated
    Verdict.TOO_MANY: timedelta(minutes=5),
    Verdict.TRY_LATER: timedelta(minutes=1),
    Verdict.BAD_CERTIFICATE: timedelta(minutes=15),
    Verdict.WRONG_SERVER: timedelta(minutes=15),
    Verdict.WRONG_TOPIC: timedelta(hours=1),
    Verdict.OUR_FAULT: timedelta(hours=1),
    Verdict.UNREGISTERED: UNREACHABLE,
    Verdict.BAD_TOKEN: UNREACHABLE,
}
REFUSALS: Final = {Verdict.UNREGISTERED, Verdict.BAD_TOKEN}
WOKEN_NO_MORE: Final = {Verdict.ACCEPTED, *REFUSALS}
PASSING: Final = {Verdict.TOO_MANY, Verdict.TRY_LATER}
ALARMS: Final = {Verdict.BAD_CERTIFICATE, Verdict.WRONG_SERVER, Verdict.WRONG_TOPIC, Verdict.OUR_FAULT}
SLICE: Final = 5000  # rows: SQLite knows how many parameters are too many
STRANGE: Final = 5  # from so many bad tokens on, and if they are more than good ones, it is not for the devices
AT_ONCE: Final = 200  # channels that are locked together

Row = TypeVar("Row", bound=Model)
logger = logging.getLogger(__name__)
_lately: Final[deque[tuple[int, Verdict]]] = deque(maxlen=50)  # of channels: a batch may be a single one


@dataclass(frozen=True, slots=True)
class Leased:
    until: datetime
    channels: Sequence[Channel]


def waiting() -> bool:
    """Whether anybody is to be woken who can be."""
    credentials = push_certificates.current()
    if credentials is None or _is_refused():
        return False
    now = timezone.now()
    return _due(now).exists() or _wakes(now).exists()


def push_due(limit: int = BATCH) -> int:
    """Wake the channels that have waited longest; return how many were leased."""
    credentials = push_certificates.current()
    if credentials is None or _is_refused():
        return 0
    leased = _lease(credentials, timezone.now(), limit)
    if leased.channels:
        _settle(leased, _send(leased.channels, credentials))
    return len(leased.channels)


def wake(device: Device) -> int:
    """Have a device connect now, whether or not there is anything to do; return how many of its channels will."""
    channels = Channel.objects.filter(enrollment__device=device, enrollment__state=Enrollment.State.ACTIVE)
    channels = channels.filter(push_token__isnull=False)
    try_again(channels)
    channel_ids = list(channels.values_list("pk", flat=True))
    wake_channels(channel_ids)
    return len(channel_ids)


def wake_channels(channel_ids: Iterable[int]) -> None:
    """Also those that a push is out to: it may have brought them here before this was asked for."""
    now = timezone.now()
    wakes = [Wake(channel_id=each, at=now, asked_at=now) for each in channel_ids]
    changed = ["at", "asked_at"]
    Wake.objects.bulk_create(wakes, update_conflicts=True, unique_fields=["channel"], update_fields=changed)


def revive(channel: Channel) -> None:
    """A new TokenUpdate: what was pushed to an old token, or could not be pushed at all, is due."""
    _revive([channel.pk])


def revive_topic(topic: str) -> None:
    """A certificate was installed: the devices of its topic need not wait for their next day."""
    now = timezone.now()
    enrolled = Channel.objects.filter(enrollment__topic=topic, enrollment__state=Enrollment.State.ACTIVE)
    untold = Q(channel__pushed_at=None) | Q(created_at__gt=F("channel__pushed_at"))
    put_off = Command.objects.open().filter(untold, channel__in=enrolled, push_at__gt=now)
    put_off.exclude(state=Command.State.NOT_NOW).update(push_at=now)
    Job.enqueue("devices.retry_pushes")


def revive_heard() -> int:
    """Devices that connected after their token was refused; how many channels.

    Their enrollment profile is there and they live, so it is not for being gone that they are not reached.  A device
    sends its token when it is another one, and may never do so: the known one is tried once after each such connect.
    """
    heard = Channel.objects.filter(push_refused_at__lt=F("last_seen_at"), last_seen_at__lte=timezone.now() + AHEAD)
    return try_again(heard)


def retry() -> int:
    """An operator, or a new certificate, may have mended what all of them were refused for; how many channels."""
    PushCertificate.objects.exclude(refused_at=None).update(refused_at=None)
    return try_again(Channel.objects.all())


def try_again(channels: QuerySet[Channel]) -> int:
    """Those of them whose token was refused count as reachable once more, until it is refused again; how many."""
    refused = channels.filter(push_refused_at__isnull=False, enrollment__state=Enrollment.State.ACTIVE)
    tried = 0
    for some in _slices(_ids(refused.order_by("pk")), AT_ONCE):
        done = _forgive(some)
        tried += len(done) + sum(len(_forgive([pk], waits=True)) for pk in some if pk not in done)
    return tried


@transaction.atomic
def _forgive(ids: Sequence[int], *, waits: bool = False) -> AbstractSet[int]:
    """Those that are free, unless it `waits`; locked in the order of a TokenUpdate, the enrollment first."""
    enrollments = _locked(Enrollment.objects.active().filter(channels__in=ids), waits=waits)
    held = list(enrollments.values_list("pk", flat=True))
    channels = _locked(Channel.objects.filter(pk__in=ids, enrollment__in=held), waits=waits)
    found = set(channels.values_list("pk", flat=True))
    if found:
        _revive(found)
    return found


def _revive(ids: Collection[int]) -> None:
    now = timezone.now()
    put_off = Command.objects.open().filter(channel__in=ids, push_at__gt=now)
    # the device said when; what lies further off was put there by what became of a push
    put_off.exclude(state=Command.State.NOT_NOW, push_at__lte=now + LONGEST_NOT_NOW).update(push_at=now)
    # patience is for the old token; whoever is pushing just now goes on
    lease = Case(When(push_failures=0, then=F("push_leased_until")))
    Channel.objects.filter(pk__in=ids).update(push_failures=0, push_refused_at=None, push_leased_until=lease)
    of_devices = Channel.objects.filter(pk__in=ids, user_key="").values("enrollment__device")
    devices = Device.objects.filter(pk__in=of_devices, unreachable_since__isnull=False)
    devices = devices.select_for_update().order_by("pk")  # the order of whoever locks several of them
    unreached = list(devices.values_list("pk", flat=True))
    Device.objects.filter(pk__in=unreached).update(unreachable_since=None, mdm_managed=True, modified_at=now)


def after_the_clock_was_ahead() -> int:
    """Nobody is woken for what such a clock queued, put off or leased before it is that late; how many commands.

    It takes a look at each row, which no index spares.
    """
    now, apart = timezone.now(), timezone.now() + AHEAD
    found = 0
    queued = Command.objects.filter(Q(created_at__gt=apart) | Q(not_now_at__gt=apart) | Q(push_at__gt=now + FURTHEST))
    for some in _slices(_ids(queued), SLICE):
        found += _bring_back(queued.filter(pk__in=some), now)
    wakes = Wake.objects.filter(Q(asked_at__gt=apart) | Q(at__gt=now + LONGEST_PAUSE))
    for some in _slices(_ids(wakes), SLICE):
        _bring_back_wakes(wakes.filter(pk__in=some), now)
    pushed = Q(pushed_at__gt=apart)
    for failures in range(DOUBLED + 1):
        so_many = {"push_failures" if failures < DOUBLED else "push_failures__gte": failures}
        pushed |= Q(**so_many, push_leased_until__gt=apart + _longest_lease(failures))
    channels = Channel.objects.filter(pushed)
    for some in _slices(_ids(channels), AT_ONCE):
        found += _bring_back_of(channels.filter(pk__in=some), now)
    return found


@transaction.atomic
def _bring_back(commands: QuerySet[Command], now: datetime) -> int:
    """With the moments by which they are found, or they would be found again each minute."""
    ids = _ids(_free(commands))
    told = ("created_at", "not_now_at")
    moments = {name: Case(When(**{f"{name}__gt": now}, then=now), default=F(name)) for name in told}
    for some in _slices(ids, SLICE):
        Command.objects.filter(pk__in=some).update(push_at=now, **moments)
    return len(ids)


@transaction.atomic
def _bring_back_wakes(wakes: QuerySet[Wake], now: datetime) -> None:
    Wake.objects.filter(pk__in=_ids(_free(wakes))).update(at=now, asked_at=now)


@transaction.atomic
def _bring_back_of(channels: QuerySet[Channel], now: datetime) -> int:
    """Those of whom others hold a command just now are found once more."""
    ids = _ids(_free(channels))
    put_off = Command.objects.open().filter(channel__in=ids, push_at__gt=now)
    found = _bring_back(put_off, now)
    _bring_back_wakes(Wake.objects.filter(channel__in=ids, at__gt=now), now)
    held = put_off.values("channel")
    pushed_at = Case(When(pushed_at__lte=now, then=F("pushed_at")))
    Channel.objects.filter(pk__in=ids).exclude(pk__in=held).update(pushed_at=pushed_at, push_leased_until=None)
    return found


# --- Choosing ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def _lease(credentials: PushCredentials, now: datetime, limit: int) -> Leased:
    """What others are at is left for the next time: the door must not wait for this, nor this for the door."""
    told, most = ("pk", "channel_id", "state", "priority", "push_at"), limit * 2
    due = [*_due(now).urgent().order_by("push_at").values_list(*told)[:most]]  # behind a whole fleet's these may be
    due += _due(now).order_by("push_at").values_list(*told)[:most]
    waiting = [(first, at, channel) for _, channel, state, first, at in due if state != Command.State.CANCELLED]
    waiting += [(0, *row) for row in _wakes(now).order_by("at").values_list("at", "channel_id")[:limit]]
    channels = _free(_channels()).in_bulk(list(dict.fromkeys(channel for *_, channel in sorted(waiting)))[:limit])
    commands = dict(_free(_due(now).open().filter(channel__in=channels)).values_list("pk", "channel_id"))
    asked = set(_ids(_free(_wakes(now).filter(channel__in=channels))))
    later: defaultdict[datetime, set[int]] = defaultdict(set)
    for channel in channels.values():
        later[_next_push(channel, credentials, now)].add(channel.pk)
    Wake.objects.filter(pk__in=asked & later[now + UNREACHABLE]).delete()
    for push_at, ids in later.items():
        _move([pk for pk, channel in commands.items() if channel in ids], push_at)
        Wake.objects.filter(pk__in=asked & ids).update(at=push_at)
    called_back = [pk for pk, _, state, *_ in due if state == Command.State.CANCELLED]
    called_back = _ids(_free(_due(now).filter(pk__in=called_back)))
    Command.objects.filter(pk__in=called_back).update(push_at=now + UNREACHABLE)
    woken = later[now + LEASE] & (asked | set(commands.values()))
    leased = [channel for pk, channel in channels.items() if pk in woken]
    Channel.objects.filter(pk__in=[channel.pk for channel in leased]).update(push_leased_until=now + LEASE)
    return Leased(now + LEASE, leased)


def _next_push(channel: Channel, credentials: PushCredentials, now: datetime) -> datetime:
    """Of one whose push is leased: when the lease ends."""
    until = channel.push_leased_until
    if not _is_reachable(channel, credentials):
        return now + UNREACHABLE
    if until is None or not _is_leased(channel, until, now):
        return now + (WINDOW if _was_lately(channel, now) else LEASE)
    return until if until > now + LEASE + AHEAD else now + WINDOW


def _free(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Locked, without what others have locked: whoever waits for nobody is in no deadlock, whatever comes first."""
    return _locked(rows, waits=False)


def _locked(rows: QuerySet[Row], *, waits: bool) -> QuerySet[Row]:
    skip = connection.features.has_select_for_update_skip_locked and not waits
    return rows.select_for_update(of=("self",), no_key=True, skip_locked=skip)


def _ids(rows: QuerySet[Any]) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _was_lately(channel: Channel, now: datetime) -> bool:
    """What lies far ahead was written before the clock was put back, here and below."""
    return channel.pushed_at is not None and -AHEAD < now - channel.pushed_at < WINDOW


def _is_leased(channel: Channel, until: datetime, now: datetime) -> bool:
    """Somebody is pushing to it, or Apple has asked for patience."""
    return now < until <= now + _longest_lease(channel.push_failures) + AHEAD


def _longest_lease(failures: int) -> timedelta:
    return _pause(Verdict.TOO_MANY, failures - 1) if failures else LEASE


def _move(ids: Sequence[int], push_at: datetime) -> None:
    for some in _slices(ids, SLICE):
        Command.objects.filter(pk__in=some).update(push_at=push_at)


def _slices(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _due(now: datetime) -> CommandQuerySet:
    return Command.objects.filter(push_at__lte=now)


def _wakes(now: datetime) -> QuerySet[Wake]:
    return Wake.objects.filter(at__lte=now)


def _channels() -> QuerySet[Channel]:
    needed = (
        "user_key", "push_token", "push_magic", "pushed_at", "push_leased_until", "push_failures", "push_refused_at",
        "token_updated_at",
    )  # fmt: skip
    joined = ("enrollment__state", "enrollment__topic", "enrollment__device_id")
    return Channel.objects.select_related("enrollment").only(*needed, *joined)


def _is_reachable(channel: Channel, credentials: PushCredentials) -> bool:
    enrollment = channel.enrollment
    is_ours = enrollment.state == Enrollment.State.ACTIVE and enrollment.topic == credentials.topic
    return is_ours and bool(channel.push_token and channel.push_magic) and channel.push_refused_at is None


# --- Sending ----------------------------------------------------------------------------------------------------------


def _send(channels: Sequence[Channel], credentials: PushCredentials) -> list[Outcome]:
    expires = expiration(timezone.now())
    pushes = [
        Push(
            token=bytes(channel.push_token or b""),
            magic=(channel.push_magic or b"").decode(),
            topic=credentials.topic,
            expiration=expires,
        )
        for channel in channels
    ]
    identity = apns.PushIdentity(certificate=credentials.certificate_pem, key=credentials.key_pem)
    server = apns.Server(host=settings.APNS_HOST, port=settings.APNS_PORT, trust=settings.APNS_CA)
    return apns.push(pushes, identity=identity, server=server, seconds=LEASE.total_seconds() - 20)


# --- What came of it --------------------------------------------------------------------------------------------------


def _settle(leased: Leased, outcomes: Sequence[Outcome]) -> None:
    """What was queued since is due by itself: only what was leased is moved."""
    now = timezone.now()
    by_verdict: defaultdict[Verdict, list[Channel]] = defaultdict(list)
    reasons: defaultdict[Verdict, set[str]] = defaultdict(set)
    known, unknown = _tokens_lately(leased.channels, outcomes)
    is_strange = unknown >= STRANGE and unknown > known
    for channel, outcome in zip(leased.channels, outcomes, strict=True):
        verdict = outcome.kind
        if verdict is Verdict.BAD_TOKEN and is_strange:
            verdict = Verdict.WRONG_SERVER
        elif verdict in REFUSALS and not _refuse(channel, outcome, now):
            verdict = Verdict.TRY_LATER
        by_verdict[verdict].append(channel)
        reasons[verdict].add(outcome.reason)
        about = {"device": channel.enrollment.device_id, "verdict": verdict.value}
        inform(logger, "a push was tried", about, request_id.current())
    for verdict, channels in by_verdict.items():
        metrics.count_push(verdict.value, len(channels))
        _put_off(verdict, channels, leased.until, now)
    _tell(reasons, now, is_vain=is_strange and not known)


def _tokens_lately(channels: Sequence[Channel], outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """How many of the last tokens Apple knew, and how many it did not; one that is tried often is one."""
    told = [(channel.pk, outcome.kind) for channel, outcome in zip(channels, outcomes, strict=True) if outcome.status]
    _lately.extend((pk, verdict) for pk, verdict in told if verdict is Verdict.ACCEPTED or verdict in REFUSALS)
    lately = Counter(dict(_lately.copy()).values())  # a copy, for other threads push, too
    return lately[Verdict.ACCEPTED] + lately[Verdict.UNREGISTERED], lately[Verdict.BAD_TOKEN]


def _put_off(verdict: Verdict, channels: Sequence[Channel], leased_until: datetime, now: datetime) -> None:
    by_pause: defaultdict[timedelta, list[int]] = defaultdict(list)
    for channel in channels:
        by_pause[_pause(verdict, channel.push_failures)].append(channel.pk)
    for pause, ids in by_pause.items():
        with transaction.atomic():  # what others are at just now is pushed once more, if it is still there then
            leased = _free(Command.objects.filter(channel__in=ids, push_at=leased_until))
            _move(_ids(leased), now + pause)
            asked = _free(Wake.objects.filter(channel__in=ids, at=leased_until))
            wakes = Wake.objects.filter(pk__in=_ids(asked))
            if verdict in WOKEN_NO_MORE:
                wakes.delete()
            else:
                wakes.update(at=now + pause)
        settled: dict[str, Any] = {"push_leased_until": None}
        if verdict is Verdict.ACCEPTED:
            settled |= {"pushed_at": now, "push_failures": 0}
        elif verdict in PASSING:  # what is queued for it meanwhile waits, too
            settled = {"push_leased_until": now + pause, "push_failures": Least(F("push_failures") + 1, 20)}
        _update(ids, settled)


def _update(ids: Sequence[int], values: Mapping[str, Any]) -> None:
    """Each of those that others are at by itself: whoever holds nothing may wait."""
    with transaction.atomic():
        free = _ids(_free(Channel.objects.filter(pk__in=ids)))
        Channel.objects.filter(pk__in=free).update(**values)
    for channel_id in set(ids).difference(free):
        Channel.objects.filter(pk=channel_id).update(**values)


def _pause(verdict: Verdict, failures: int) -> timedelta:
    """Longer each time while Apple has no room or is out of order (429 and 5xx)."""
    return min(AFTER[verdict] * 2**failures, LONGEST_PAUSE) if verdict in PASSING else AFTER[verdict]


@transaction.atomic
def _refuse(channel: Channel, outcome: Outcome, now: datetime) -> bool:
    """The token is dead, the device perhaps gone: noted, never deleted.

    False when a newer token has come since, or another enrollment: the record is that one's now.
    """
    since = outcome.timestamp or now
    if outcome.timestamp is not None and _is_later(channel.token_updated_at, since, now):
        return False
    standing = Enrollment.objects.active().select_for_update(no_key=True).filter(pk=channel.enrollment_id)
    known = Channel.objects.filter(pk=channel.pk, token_updated_at=channel.token_updated_at)
    # `now`, for it is compared with connects: those before the push say nothing of what came of it
    if standing.first() is None or not known.update(push_refused_at=now):
        return False
    if not channel.user_key:
        devices = Device.objects.filter(pk=channel.enrollment.device_id or 0, mdm_managed=True)
        devices.update(unreachable_since=since, mdm_managed=False, modified_at=now)
    return True


def _is_later(updated_at: datetime | None, since: datetime, now: datetime) -> bool:
    return updated_at is not None and since < updated_at <= now + AHEAD


def _tell(reasons: Mapping[Verdict, AbstractSet[str]], now: datetime, *, is_vain: bool) -> None:
    """`is_vain`: Apple knows none of the tokens, so the next ones can wait as for a better certificate."""
    for verdict in ALARMS & reasons.keys():
        said = {"verdict": verdict.value, "reasons": ", ".join(sorted(reasons[verdict])), "server": settings.APNS_HOST}
        logger.error("APNs refuses pushes", extra=said)
    rows = PushCertificate.objects.all()
    if Verdict.BAD_CERTIFICATE in reasons or is_vain:
        rows.update(refused_at=now)
    elif Verdict.ACCEPTED in reasons:
        rows.exclude(refused_at=None).update(refused_at=None)


def _is_refused() -> bool:
    """No push can succeed; one try from time to time tells when that is over."""
    now = timezone.now()
    since = now - AFTER[Verdict.BAD_CERTIFICATE]
    return PushCertificate.objects.filter(refused_at__gt=since, refused_at__lte=now).exists()
