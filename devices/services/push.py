"""Waking devices: what is to be pushed follows from the queue, so a push that got lost is only a push that is due.

Each open command says when its device is to be woken for it (`Command.push_at`), and so does a device that is to
connect without one (`Wake.at`).  A batch of channels is leased, and that moment moved a little into the future; what
came of it moves it again.  APNs keeps one push for each device.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from devices import apns
from devices.models import Channel, Command, Device, Enrollment, PushCertificate, Wake
from devices.models.command import CommandQuerySet
from devices.protocol.push import Outcome, Push, Verdict, expiration
from devices.services import push_certificates
from devices.services.push_certificates import PushCredentials
from devices.services.push_pauses import AFTER, AHEAD, LEASE, PASSING, UNREACHABLE, longest_lease, pause_after
from devices.services.push_rows import SLICE, free, ids_of, slices
from epmm import metrics, request_id
from epmm.logging import inform

BATCH: Final = 2000  # channels
WINDOW: Final = timedelta(seconds=5)  # never twice within it
REFUSALS: Final = {Verdict.UNREGISTERED, Verdict.BAD_TOKEN}
WOKEN_NO_MORE: Final = {Verdict.ACCEPTED, *REFUSALS}
ALARMS: Final = {Verdict.BAD_CERTIFICATE, Verdict.WRONG_SERVER, Verdict.WRONG_TOPIC, Verdict.OUR_FAULT}
STRANGE: Final = 5  # from so many bad tokens on, and if they are more than good ones, it is not for the devices

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


# --- Choosing ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def _lease(credentials: PushCredentials, now: datetime, limit: int) -> Leased:
    """What others are at is left for the next time: the door must not wait for this, nor this for the door."""
    told, most = ("pk", "channel_id", "state", "priority", "push_at"), limit * 2
    due = [*_due(now).urgent().order_by("push_at").values_list(*told)[:most]]  # behind a whole fleet's these may be
    due += _due(now).order_by("push_at").values_list(*told)[:most]
    waiting = [(first, at, channel) for _, channel, state, first, at in due if state != Command.State.CANCELLED]
    waiting += [(0, *row) for row in _wakes(now).order_by("at").values_list("at", "channel_id")[:limit]]
    channels = free(_channels()).in_bulk(list(dict.fromkeys(channel for *_, channel in sorted(waiting)))[:limit])
    commands = dict(free(_due(now).open().filter(channel__in=channels)).values_list("pk", "channel_id"))
    asked = set(ids_of(free(_wakes(now).filter(channel__in=channels))))
    later: defaultdict[datetime, set[int]] = defaultdict(set)
    for channel in channels.values():
        later[_next_push(channel, credentials, now)].add(channel.pk)
    Wake.objects.filter(pk__in=asked & later[now + UNREACHABLE]).delete()
    for push_at, ids in later.items():
        _move([pk for pk, channel in commands.items() if channel in ids], push_at)
        Wake.objects.filter(pk__in=asked & ids).update(at=push_at)
    called_back = [pk for pk, _, state, *_ in due if state == Command.State.CANCELLED]
    called_back = ids_of(free(_due(now).filter(pk__in=called_back)))
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


def _was_lately(channel: Channel, now: datetime) -> bool:
    """What lies far ahead was written before the clock was put back, here and below."""
    return channel.pushed_at is not None and -AHEAD < now - channel.pushed_at < WINDOW


def _is_leased(channel: Channel, until: datetime, now: datetime) -> bool:
    """Somebody is pushing to it, or Apple has asked for patience."""
    return now < until <= now + longest_lease(channel.push_failures) + AHEAD


def _move(ids: Sequence[int], push_at: datetime) -> None:
    for some in slices(ids, SLICE):
        Command.objects.filter(pk__in=some).update(push_at=push_at)


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
        by_pause[pause_after(verdict, channel.push_failures)].append(channel.pk)
    for pause, ids in by_pause.items():
        with transaction.atomic():  # what others are at just now is pushed once more, if it is still there then
            leased = free(Command.objects.filter(channel__in=ids, push_at=leased_until))
            _move(ids_of(leased), now + pause)
            asked = free(Wake.objects.filter(channel__in=ids, at=leased_until))
            wakes = Wake.objects.filter(pk__in=ids_of(asked))
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
        ours = ids_of(free(Channel.objects.filter(pk__in=ids)))
        Channel.objects.filter(pk__in=ours).update(**values)
    for channel_id in set(ids).difference(ours):
        Channel.objects.filter(pk=channel_id).update(**values)


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
