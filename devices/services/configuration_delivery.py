"""From what is wanted on a device to what is there: at most one open command for each configuration and channel.

`ConfigurationDelivery.due_at` says when there is something to do, so a worker that dies forgets nothing.  The answers
come back through `configuration_answers`, and what they leave undone is due again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Final

from django.db import connection, transaction
from django.utils import timezone

from devices.models import Command, ConfigurationDelivery, ConfigurationVersion, Enrollment, Result
from devices.models.delivery import OURS, after_failures
from devices.protocol.commands import InstallProfile, RemoveProfile, Request, Target, why_not
from devices.protocol.configuration_profile import judge
from devices.protocol.error_chain import DeviceError
from devices.services import configuration_drift, configuration_plan, queue
from devices.services.target import target_of

BATCH: Final = 200
State = ConfigurationDelivery.State
_NOT_NEEDED: Final = (
    "wanted__content",
    "channel__push_magic",
    "channel__enrollment__unlock_token",
    "channel__enrollment__bootstrap_token",
    "channel__enrollment__device__details",
)


class Signing:
    """Who signs what was uploaded without a signature: the app that has the key says so when it is ready."""

    sign: ClassVar[Callable[[bytes], bytes] | None] = None

    @classmethod
    def signed(cls, content: bytes) -> bytes:
        return content if cls.sign is None else cls.sign(content)


class Contents:
    """Profiles as they are delivered: each is decrypted and signed once, however many devices get it."""

    def __init__(self) -> None:
        self._requests: dict[int, InstallProfile] = {}

    def request(self, version_id: int) -> InstallProfile:
        if version_id not in self._requests:
            version = ConfigurationVersion.objects.get(pk=version_id)
            content = bytes(version.content)
            self._requests[version_id] = InstallProfile(
                profile=content if version.is_signed else Signing.signed(content)
            )
        return self._requests[version_id]


def waiting() -> bool:
    return ConfigurationDelivery.objects.filter(due_at__lte=timezone.now()).exists()


def deliver_all_due() -> None:
    contents = Contents()
    while deliver_due(contents) == BATCH:
        pass


def push_again(device_id: int) -> int:
    """All that is wanted there is installed anew, whatever is there now; return how many are."""
    configuration_plan.plan_device(device_id)
    settled = ConfigurationDelivery.objects.enrolled().filter(
        channel__enrollment__device=device_id, wanted__isnull=False, command_id=None
    )
    return settled.update(in_doubt=True, attempts=0, mended=0, due_at=timezone.now())


@transaction.atomic
def deliver_due(contents: Contents, limit: int = BATCH) -> int:
    """One batch in one transaction; return how many deliveries were looked at."""
    now = timezone.now()
    rows = _locked(now, limit)
    _take_back(rows)
    still_open = _open_among([row.command_id for row in rows if row.command_id is not None])
    steps = [_Step(row, now, contents, is_open=row.command_id in still_open) for row in rows]
    orders = [(step.row, request) for step in steps if (request := step.take()) is not None]
    commands = queue.queue_all([(row.channel, request) for row, request in orders])
    for (row, _), command in zip(orders, commands, strict=True):
        row.command_id, row.command_uuid = command.pk, command.uuid
    ConfigurationDelivery.objects.write(rows)
    configuration_drift.ask([row.channel_id for row in rows if row.state == State.UNKNOWN])
    return len(rows)


def _locked(now: datetime, limit: int) -> list[ConfigurationDelivery]:
    due = ConfigurationDelivery.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    joined = due.select_related("channel__enrollment__device", "configuration", "wanted").defer(*_NOT_NEEDED)
    skip = connection.features.has_select_for_update_skip_locked
    return list(joined.select_for_update(skip_locked=skip, of=("self",))[:limit])


def _take_back(rows: Sequence[ConfigurationDelivery]) -> None:
    """Commands that no device has seen yet, and that are no longer what is wanted."""
    stale = {row.command_id: row for row in rows if row.command_id is not None and row.sent_id != row.wanted_id}
    if not stale:
        return
    queued = Command.objects.filter(pk__in=stale, state=Command.State.QUEUED)
    taken = list(queued.select_for_update(of=("self",)).values_list("pk", flat=True))
    Command.objects.filter(pk__in=taken).cancel()
    for command_id in taken:
        stale[command_id].forget_command()


def _open_among(command_ids: Sequence[int]) -> set[int]:
    """In the order in which a command passes the tables: one that moves meanwhile is seen twice, never missed."""
    if not command_ids:
        return set()
    queued = set(Command.objects.filter(pk__in=command_ids).values_list("pk", flat=True))
    return queued | set(Result.objects.filter(pk__in=command_ids).values_list("pk", flat=True))


class _Step:
    """What is next for one delivery."""

    def __init__(self, row: ConfigurationDelivery, now: datetime, contents: Contents, *, is_open: bool) -> None:
        self.row = row
        self._now = now
        self._contents = contents
        self._is_open = is_open

    def take(self) -> Request | None:
        """Bring the row up to date; return the command that it takes, if it takes one."""
        row = self.row
        row.changed_at = self._now
        if row.channel.enrollment.state == Enrollment.State.ENDED:
            row.wanted = row.installed = None
            row.forget_command()
            row.conclude(self._now)
        elif self._is_open:  # its answer goes on from here
            row.wait()
        elif row.command_id is not None:
            self._lose()
        elif row.wanted is None:
            return self._remove()
        else:
            return self._install(row.wanted)
        return None

    def _lose(self) -> None:
        """A command that somebody cancelled, or whose answer could not be read: nobody knows what came of it."""
        row = self.row
        row.forget_command()
        row.state, row.in_doubt, row.due_at = State.UNKNOWN, True, after_failures(row.attempts, self._now)
        row.attempts += 1

    def _remove(self) -> Request | None:
        row = self.row
        if not row.may_be_installed:
            row.conclude(self._now)
            return None
        return self._ordered(RemoveProfile(identifier=row.configuration.identifier))

    def _install(self, version: ConfigurationVersion) -> Request | None:
        row = self.row
        if row.installed_id == version.pk and not row.in_doubt:
            row.conclude(self._now)
            return None
        verdict = judge(row.configuration.identifier, version.outline, self._target)
        if verdict.refusal is not None:
            row.fail(DeviceError(domain=OURS, text=verdict.refusal))
            return None
        return self._ordered(self._contents.request(version.pk), version)

    def _ordered(self, request: Request, version: ConfigurationVersion | None = None) -> Request | None:
        if sentence := why_not(request, self._target):
            self.row.fail(DeviceError(domain=OURS, text=sentence))
            return None
        self.row.sent = version
        self.row.wait()
        return request

    @cached_property
    def _target(self) -> Target:
        return target_of(self.row.channel)
