"""Reading what devices answered: results not yet digested are an outbox, and this empties it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from django.db import connection, transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.db.models.functions import Length
from django.utils import timezone

from devices import events
from devices.models import Command, Enrollment, FinishedCommand, Result
from devices.models.command import MOVED
from devices.protocol.commands import answers_with_secret
from devices.protocol.installed import Profile
from devices.protocol.reading import Reading
from devices.services import (
    configuration_answers,
    configuration_drift,
    departure,
    inventory,
    managed_applications,
    secrets,
)
from devices.services.outbox import Outbox, what_was_wrong
from epmm import request_id
from epmm.given import NAME, Given
from epmm.logging import inform

logger = logging.getLogger(__name__)

BATCH: Final = 200
TOGETHER: Final = 100  # a transaction costs SQLite what reading three of them does

# What an answer's effects need of it and of the tables that lead to it: not the secrets, which would be decrypted.
_NEEDED: Final = (
    "uuid",
    "request_type",
    "state",
    "is_routine",
    "is_partial",
    "created_at",
    "received_at",
    "payload_id",
    "body",
    "channel__user_key",
    "channel__enrollment__state",
    "channel__enrollment__kind",
    "channel__enrollment__active_at",
    "channel__enrollment__udid",
    "channel__enrollment__device_id",
)
_NOTHING: Final[Mapping[int, Reading | None]] = {}


def waiting() -> bool:
    return Result.objects.exists()


def read_results(limit: int = BATCH) -> int:
    """Read the oldest results that wait; return how many are done with.

    Some together share their statements and a transaction; when one of them fails, each gets its own, and so does each
    large one.  A result stays until it is read: killed in between, a worker loses nothing.
    """
    sizes = dict(Result.objects.order_by("pk").values_list("pk", Length("body"))[:limit])
    return OUTBOX.work(sizes)


def read_result(result_id: int) -> bool:
    """False when another worker holds it or has read it."""
    return _read([result_id]) == 1


def _read_large(result_id: int) -> int:
    """Read before anything is locked for it: on SQLite one lock holds up the door."""
    result = _needed().filter(pk=result_id).first()
    return _read([result_id], {result_id: _reading(result)} if result is not None and _stands(result) else _NOTHING)


@transaction.atomic
def _read(ids: Sequence[int], ahead: Mapping[int, Reading | None] = _NOTHING) -> int:
    """`ahead`: what has been read of them beforehand, by result."""
    results = list(_needed().select_for_update(skip_locked=True, of=("self",)).filter(pk__in=ids).order_by("pk"))
    standing = [result for result in results if _stands(result)]
    removals = [result for result in standing if result.request_type == managed_applications.REMOVAL]
    prefetch_related_objects(removals, "payload")  # what goes from a whole fleet stands in one
    read = [(result, ahead[result.pk] if result.pk in ahead else _reading(result)) for result in standing]
    inventory.store([(result, reading) for result, reading in read if reading is not None])
    _keep_secrets(results, dict(read))
    for result, reading in read:
        _settle(result, reading)
    managed_applications.follow(read)
    news = [result for result in results if not _is_routine(result)]
    _archive(news)
    events.commands_finished(news)
    Result.objects.filter(pk__in=[result.pk for result in results]).delete()
    for result in results:
        inform(logger, "an answer was read", _about(result), request_id.current())
    return len(results)


def _keep_secrets(results: Sequence[Result], read: Mapping[Result, Reading | None]) -> None:
    """Whatever has become of the enrollment since: its device has set them, and nobody else knows them."""
    for result in results:
        if answers_with_secret(result.request_type):
            reading = read[result] if result in read else _reading(result)
            if reading is not None:
                secrets.keep(result.channel.enrollment, reading.secrets, result.received_at)


def _needed() -> QuerySet[Result]:
    return Result.objects.select_related("channel__enrollment").only(*_NEEDED)


def _stands(result: Result) -> bool:
    """Only the enrollment that stands may change the record: a late answer of an earlier one says nothing now."""
    enrollment = result.channel.enrollment
    return enrollment.state == Enrollment.State.ACTIVE and enrollment.device_id is not None


def _reading(result: Result) -> Reading | None:
    """What it says for the record."""
    if result.state != Command.State.ACKNOWLEDGED:
        return None
    if result.request_type == managed_applications.REMOVAL:
        return managed_applications.removal(result)
    return inventory.read(result) if result.request_type in inventory.REQUEST_TYPES else None


def _settle(result: Result, reading: Reading | None) -> None:
    """What follows from an answer beside the record."""
    if result.state != Command.State.ACKNOWLEDGED:
        _refused(result)
    elif reading is None:
        departure.confirm(result, result.received_at)
    elif result.request_type == "ProfileList" and not result.is_partial:
        configuration_drift.compare(result, reading.lists[Profile])
    if result.request_type in configuration_answers.REQUEST_TYPES:
        configuration_answers.settle(result)


def _refused(result: Result) -> None:
    if result.state == Command.State.FORMAT_ERROR:  # a fault of ours, which repeating does not mend
        logger.error("a device calls a command malformed", extra=_about(result))
    departure.refuse(result)


def _is_routine(result: Result) -> bool:
    """It would be as long in the archive as all others, and there are far more: what it said stands in the record."""
    return result.is_routine and result.state == Command.State.ACKNOWLEDGED


def _archive(results: Sequence[Result]) -> None:
    """Moved within the database; only the bodies, which are compressed on the way, come from here."""
    if not results:
        return
    given = Given(FinishedCommand, ("id", "body"), [(result.pk, _kept_body(result)) for result in results])
    moved = ", ".join(f"result.{column}" for column in MOVED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{given.clause} INSERT INTO {FinishedCommand._meta.db_table} ({', '.join(MOVED)}, state, done_at, body)"  # noqa: S608 -- names of our own models
            f" SELECT {moved}, result.state, result.received_at, {NAME}.body"
            f" FROM {Result._meta.db_table} AS result JOIN {NAME} ON result.id = {NAME}.id",
            given.parameters,
        )


def _kept_body(result: Result) -> bytes | None:
    """What hands over secrets stands sealed elsewhere, or nowhere: never in the archive, also where it was not read."""
    return None if answers_with_secret(result.request_type) else bytes(result.body)


def _set_aside(result_id: int, error: Exception) -> None:
    """Archive an answer that cannot be read, so that it is tried no more; the log and the record say so."""
    with transaction.atomic():
        result = _needed().select_for_update(of=("self",)).filter(pk=result_id).first()
        if result is not None:
            wrong = what_was_wrong(error)
            logger.error("an answer cannot be read", extra=_about(result) | wrong)
            inventory.note_unread(result, wrong["error"], timezone.now())
            if answers_with_secret(result.request_type):
                unread = {f"{result.request_type} answer, unread": bytes(result.body)}
                secrets.keep(result.channel.enrollment, unread, result.received_at)
            _archive([result])
            events.commands_finished([result])
            result.delete()


def _about(result: Result) -> dict[str, object]:
    return {
        "command": str(result.uuid).upper(),
        "request_type": result.request_type,
        "device": result.channel.enrollment.device_id,
    }


OUTBOX: Final = Outbox(read=_read, read_large=_read_large, set_aside=_set_aside, together=TOGETHER)
