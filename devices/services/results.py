"""Reading what devices answered: results not yet digested are an outbox, and this empties it."""

import logging
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Length
from django.utils import timezone

from devices.models import Command, CommandRow, Enrollment, FinishedCommand, Result
from devices.services import configuration_answers, configuration_drift, departure, inventory, secrets
from epmm.wire import plist

logger = logging.getLogger(__name__)

BATCH: Final = 200
TOGETHER: Final = 25
LARGE: Final = 64 << 10  # bytes
MOST_BYTES: Final = 64 << 20  # what the door stored is within its own limit; this one only says that there is one
GIVE_UP: Final = 5  # failures of one result while the database serves others

# What reading an answer needs of the tables that lead to it: not the secrets, which would be decrypted.
_NEEDED: Final = (
    *(field.name for field in Result._meta.concrete_fields),
    "channel__user_key",
    "channel__enrollment__state",
    "channel__enrollment__kind",
    "channel__enrollment__active_at",
    "channel__enrollment__udid",
    "channel__enrollment__device_id",
)
_failures: Final[Counter[int]] = Counter()


def waiting() -> bool:
    return Result.objects.exists()


def read_results(limit: int = BATCH) -> int:
    """Read the oldest results that wait; return how many are done with.

    Some together share a transaction; when one of them fails, each gets its own.  A result stays until it is read:
    killed in between, a worker loses nothing.
    """
    sizes = dict(Result.objects.order_by("pk").values_list("pk", Length("body"))[:limit])
    small = [result_id for result_id, size in sizes.items() if size <= LARGE]
    done = 0
    for start in range(0, len(small), TOGETHER):
        together = small[start : start + TOGETHER]
        try:
            done += _read(together)
        except Exception:  # noqa: BLE001 - which of them it was, and what of it, shows when each is read alone
            done += _read_one_by_one(together)
    return done + _read_one_by_one([result_id for result_id, size in sizes.items() if size > LARGE], is_large=True)


def _read_one_by_one(ids: Sequence[int], *, is_large: bool = False) -> int:
    done = 0
    for result_id in ids:
        try:
            done += read_result(result_id, _parsed(result_id) if is_large else None)
        except (OperationalError, InterfaceError) as error:
            if _is_the_databases(error):
                raise
            done += _give_up_at_last(result_id, error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one answer must not stop the others
            done += _set_aside(result_id, error)
        else:
            _failures.pop(result_id, None)
    return done


def read_result(result_id: int, answer: Mapping[str, Any] | None = None) -> bool:
    """False when another worker holds it or has read it.  `answer`: where it was parsed beforehand."""
    return _read([result_id], answer) == 1


@transaction.atomic
def _read(ids: Sequence[int], answer: Mapping[str, Any] | None = None) -> int:
    wanted = Result.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=ids)
    results = list(wanted.select_related("channel__enrollment").only(*_NEEDED).order_by("pk"))
    for result in results:
        _take_effect(result, answer)
    _archive(results)
    return len(results)


def _parsed(result_id: int) -> Mapping[str, Any] | None:
    """Of a large answer, before anything is locked for it: on SQLite one lock holds up the door."""
    body = Result.objects.filter(pk=result_id, request_type__in=inventory.REQUEST_TYPES).values_list("body", flat=True)
    return next((plist.load_dict(bytes(each), max_bytes=MOST_BYTES) for each in body), None)


def _archive(results: Sequence[Result]) -> None:
    FinishedCommand.objects.bulk_create(
        FinishedCommand.of(result, Command.State(result.state), result.received_at, _kept_body(result))
        for result in results
    )
    Result.objects.filter(pk__in=[result.pk for result in results]).delete()


def _kept_body(result: Result) -> bytes | None:
    """What hands over secrets stands sealed elsewhere, or nowhere: never in the archive, also where it was not read."""
    return None if result.request_type in secrets.BEARERS else bytes(result.body)


def _take_effect(result: Result, answer: Mapping[str, Any] | None) -> None:
    """Only the enrollment that stands may change the record: a late answer of an earlier one says nothing now."""
    channel = result.channel
    if channel.enrollment.state != Enrollment.State.ACTIVE or channel.enrollment.device_id is None:
        return
    if result.state != Command.State.ACKNOWLEDGED:
        _refused(result)
    elif result.request_type in inventory.REQUEST_TYPES:
        if answer is None:
            answer = plist.load_dict(bytes(result.body), max_bytes=MOST_BYTES)
        inventory.store(result, answer)
        if result.request_type == "ProfileList":
            configuration_drift.compare(result, answer)
    else:
        departure.confirm(result, result.received_at)
    if result.request_type in configuration_answers.REQUEST_TYPES:
        configuration_answers.settle(result)


def _refused(result: Result) -> None:
    if result.state == Command.State.FORMAT_ERROR:  # a fault of ours, which repeating does not mend
        logger.error("a device calls a command malformed", extra=_about(result))
    departure.refuse(result)


def _is_the_databases(error: Exception) -> bool:
    """Whether it serves nobody at the moment: away, or SQLite's one lock held by somebody else for long."""
    return "locked" in str(error) or connection.connection is None or not connection.is_usable()


def _give_up_at_last(result_id: int, error: Exception) -> int:
    """A failure of the database passes; one that meets the same result again and again does not."""
    _failures[result_id] += 1
    return _set_aside(result_id, error) if _failures[result_id] >= GIVE_UP else 0


def _set_aside(result_id: int, error: Exception) -> int:
    """Archive an answer that cannot be read, so that it is tried no more; the log and the record say so.

    The message of the exception may quote the answer: its type must do.
    """
    with transaction.atomic():
        results = Result.objects.select_for_update(of=("self",)).only(*_NEEDED)
        result = results.select_related("channel__enrollment").filter(pk=result_id).first()
        if result is not None:
            why, where = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1]
            at = f"{where.filename}:{where.lineno}"
            logger.error("an answer cannot be read", extra=_about(result) | {"error": why, "at": at})
            inventory.note_unread(result, why, timezone.now())
            _archive([result])
    _failures.pop(result_id, None)
    return 1


def _about(command: CommandRow) -> dict[str, str]:
    return {"command": str(command.uuid), "request_type": command.request_type}
