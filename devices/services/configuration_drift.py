"""Whether what was installed is still there: ProfileList says so, and what is missing or another is mended.

A profile that does not stay is installed again after growing pauses, and in the end no more.  Profiles of others are
none of our business.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db.models.functions import Coalesce
from django.utils import timezone

from devices.models import Channel, ConfigurationDelivery, ConfigurationVersion, Enrollment, Result
from devices.models.delivery import OURS, after_failures
from devices.protocol.commands import ProfileList, Request, Target, why_not
from devices.protocol.error_chain import DeviceError
from devices.protocol.installed import Profile
from devices.protocol.sentence import sentence as _
from devices.services import queue
from epmm import options, settings_store

CHUNK: Final = 500
STAYS: Final = timedelta(days=1)  # what is still there after this has stayed
GIVEN_UP: Final = _("The profile was mended again and again, and does not stay so.")
DOES_NOT_STAY: Final = DeviceError(domain=OURS, text=GIVEN_UP)
State = ConfigurationDelivery.State


def ask(channel_ids: Collection[int]) -> int:
    """Queue a ProfileList where none is open; return how many were."""
    channels = Channel.objects.filter(pk__in=channel_ids, enrollment__state=Enrollment.State.ACTIVE)
    return len(queue.ask(channels, _profiles))


def _profiles(target: Target) -> list[Request]:
    request = ProfileList()
    return [request] if why_not(request, target) is None else []


def ask_where_due() -> None:
    """Of devices that have said nothing about their profiles for a while."""
    before = timezone.now() - timedelta(hours=settings_store.read(options.PROFILE_CHECK_HOURS))
    seen = Coalesce("checked_at", "installed_at", "changed_at")
    # what waits for an answer is not compared
    silent = ConfigurationDelivery.objects.enrolled().filter(installed__isnull=False, command_id=None)
    channels = silent.annotate(seen=seen).filter(seen__lt=before).order_by("channel").values_list("channel", flat=True)
    last = 0
    while chunk := list(channels.filter(channel__gt=last).distinct()[:CHUNK]):
        ask(chunk)
        last = chunk[-1]


def compare(result: Result, profiles: Iterable[Profile]) -> None:
    """A device's answer to ProfileList.  Call it within a transaction."""
    rows = list(
        ConfigurationDelivery.objects.filter(channel=result.channel_id)
        .select_related("configuration", "installed", "wanted")
        .defer("installed__content", "wanted__content")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    if not rows:
        return
    listed = {profile.identifier: profile for profile in profiles}
    for row in rows:
        _compare(row, listed.get(row.configuration.identifier), result.received_at)
    ConfigurationDelivery.objects.write(rows)


def _compare(row: ConfigurationDelivery, found: Profile | None, at: datetime) -> None:
    is_due = row.due_at is not None and row.due_at <= timezone.now()
    if is_due or row.command_id is not None or (row.answered_at is not None and at <= row.answered_at):
        return  # something is about to change, or has changed since
    row.checked_at = at
    if row.installed_at is None and not row.in_doubt:
        return  # not ours: we have never installed anything here
    was_as_wanted = row.installed_id == row.wanted_id and not row.in_doubt
    row.installed = _version(row, found) if found is not None else None
    row.in_doubt = found is not None and row.installed is None  # by our name, and none of our versions
    if row.wanted_id == row.installed_id and not row.in_doubt:
        _confirm(row, at)
    elif found is not None and found.is_managed is False and row.wanted_id is None:
        row.installed, row.in_doubt = None, False  # somebody has installed it by hand since
    elif was_as_wanted:
        _mend(row, at)
    elif row.state == State.UNKNOWN:
        row.wait(at)


def _version(row: ConfigurationDelivery, found: Profile) -> ConfigurationVersion | None:
    """The version that has this UUID; what was acknowledged or else the newest, when its author never changes it."""
    uuid = found.profile_uuid.casefold()
    for version in (row.installed, row.wanted):
        if version is not None and version.profile_uuid.casefold() == uuid:
            return version
    versions = row.configuration.versions.filter(profile_uuid__iexact=uuid).defer("content")
    return versions.order_by("number").last()


def _confirm(row: ConfigurationDelivery, at: datetime) -> None:
    if row.answered_at is None or at - row.answered_at > STAYS:
        row.mended = 0
    if row.state not in {State.APPLIED, State.REVOKED} or row.due_at is not None:
        row.changed_at = at
        row.conclude(at)


def _mend(row: ConfigurationDelivery, at: datetime) -> None:
    """At once the first time."""
    again_at = at if row.mended == 0 else after_failures(row.mended - 1, at)
    row.mended += 1
    row.changed_at = at
    if again_at is None:
        row.fail(DOES_NOT_STAY)
    else:
        row.wait(again_at)
