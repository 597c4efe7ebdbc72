"""Who is to be woken though no push was due: at somebody's wish, with a new token, after a clock that was ahead."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.utils import timezone

from devices.models import Channel, Command, Device, Enrollment, PushCertificate, Wake
from devices.models.command import LONGEST_NOT_NOW
from devices.services.push_pauses import AHEAD, DOUBLED, FURTHEST, LONGEST_PAUSE, longest_lease
from devices.services.push_rows import AT_ONCE, SLICE, free, ids_of, locked, slices
from epmm.models import Job


def wake(device: Device) -> int:
    """Have a device connect now, whether or not there is anything to do; return how many of its channels will."""
    channels = Channel.objects.filter(enrollment__device=device, enrollment__state=Enrollment.State.ACTIVE)
    channels = channels.filter(push_token__isnull=False)
    try_again(channels)
    channel_ids = ids_of(channels)
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
    for some in slices(ids_of(refused.order_by("pk")), AT_ONCE):
        done = _forgive(some)
        tried += len(done) + sum(len(_forgive([pk], waits=True)) for pk in some if pk not in done)
    return tried


@transaction.atomic
def _forgive(ids: Sequence[int], *, waits: bool = False) -> AbstractSet[int]:
    """Those that are free, unless it `waits`; locked in the order of a TokenUpdate, the enrollment first."""
    enrollments = locked(Enrollment.objects.active().filter(channels__in=ids), waits=waits)
    channels = locked(Channel.objects.filter(pk__in=ids, enrollment__in=ids_of(enrollments)), waits=waits)
    found = set(ids_of(channels))
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
    Device.objects.filter(pk__in=ids_of(devices)).update(unreachable_since=None, mdm_managed=True, modified_at=now)


def after_the_clock_was_ahead() -> int:
    """Nobody is woken for what such a clock queued, put off or leased before it is that late; how many commands.

    It takes a look at each row, which no index spares.
    """
    now, apart = timezone.now(), timezone.now() + AHEAD
    found = 0
    queued = Command.objects.filter(Q(created_at__gt=apart) | Q(not_now_at__gt=apart) | Q(push_at__gt=now + FURTHEST))
    for some in slices(ids_of(queued), SLICE):
        found += _bring_back(queued.filter(pk__in=some), now)
    wakes = Wake.objects.filter(Q(asked_at__gt=apart) | Q(at__gt=now + LONGEST_PAUSE))
    for some in slices(ids_of(wakes), SLICE):
        _bring_back_wakes(wakes.filter(pk__in=some), now)
    pushed = Q(pushed_at__gt=apart)
    for failures in range(DOUBLED + 1):
        so_many = {"push_failures" if failures < DOUBLED else "push_failures__gte": failures}
        pushed |= Q(**so_many, push_leased_until__gt=apart + longest_lease(failures))
    channels = Channel.objects.filter(pushed)
    for some in slices(ids_of(channels), AT_ONCE):
        found += _bring_back_of(channels.filter(pk__in=some), now)
    return found


@transaction.atomic
def _bring_back(commands: QuerySet[Command], now: datetime) -> int:
    """With the moments by which they are found, or they would be found again each minute."""
    ids = ids_of(free(commands))
    told = ("created_at", "not_now_at")
    moments = {name: Case(When(**{f"{name}__gt": now}, then=now), default=F(name)) for name in told}
    for some in slices(ids, SLICE):
        Command.objects.filter(pk__in=some).update(push_at=now, **moments)
    return len(ids)


@transaction.atomic
def _bring_back_wakes(wakes: QuerySet[Wake], now: datetime) -> None:
    Wake.objects.filter(pk__in=ids_of(free(wakes))).update(at=now, asked_at=now)


@transaction.atomic
def _bring_back_of(channels: QuerySet[Channel], now: datetime) -> int:
    """Those of whom others hold a command just now are found once more."""
    ids = ids_of(free(channels))
    put_off = Command.objects.open().filter(channel__in=ids, push_at__gt=now)
    found = _bring_back(put_off, now)
    _bring_back_wakes(Wake.objects.filter(channel__in=ids, at__gt=now), now)
    held = put_off.values("channel")
    pushed_at = Case(When(pushed_at__lte=now, then=F("pushed_at")))
    Channel.objects.filter(pk__in=ids).exclude(pk__in=held).update(pushed_at=pushed_at, push_leased_until=None)
    return found
