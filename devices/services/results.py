"""Reading what devices answered: results not yet digested are an outbox, and this empties it."""

import logging
import traceback
from collections import Counter
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from devices.models import Command, Enrollment, Result
from devices.services import departure, inventory
from epmm.wire import plist

logger = logging.getLogger(__name__)

BATCH: Final = 200
MOST_BYTES: Final = 64 << 20  # what the door stored is within its own limit; this one only says that there is one
GIVE_UP: Final = 5  # failures of one result while the database serves others

# What reading an answer needs of the five tables that lead to it: not the secrets, which would be decrypted.
_NEEDED: Final = (
    "body",
    "status",
    "received_at",
    "command__uuid",
    "command__request_type",
    "command__channel__user_key",
    "command__channel__enrollment__state",
    "command__channel__enrollment__kind",
    "command__channel__enrollment__active_at",
    "command__channel__enrollment__udid",
    "command__channel__enrollment__device_id",
)
_failures: Final[Counter[int]] = Counter()


def waiting() -> bool:
    return Result.objects.undigested().exists()


def read_results(limit: int = BATCH) -> int:
    """Read the oldest results that wait, each in its own transaction; return how many are done with.

    A result is read as often as it takes until it is marked: killed in between, a worker loses nothing.
    """
    waiting_ids = Result.objects.undigested().order_by("pk").values_list("pk", flat=True)[:limit]
    done, failed_before = 0, False
    for result_id in list(waiting_ids):
        try:
            done += read_result(result_id)
        except (OperationalError, InterfaceError) as error:
            if failed_before:  # two in a row: it is the database
                raise
            failed_before = True
            done += _give_up_at_last(result_id, error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one answer must not stop the others
            done += _set_aside(result_id, error)
        else:
            failed_before = False
            _failures.pop(result_id, None)
    return done


@transaction.atomic
def read_result(result_id: int) -> bool:
    """False when another worker holds it or has read it."""
    results = Result.objects.undigested().select_for_update(skip_locked=True, of=("self",)).filter(pk=result_id)
    result = results.select_related("command__channel__enrollment").only(*_NEEDED).order_by().first()
    if result is None:
        return False
    _take_effect(result)
    Result.objects.filter(pk=result_id).update(digested_at=timezone.now())
    return True


def _take_effect(result: Result) -> None:
    """Only the enrollment that stands may change the record: a late answer of an earlier one says nothing now."""
    command, channel = result.command, result.command.channel
    if channel.enrollment.state != Enrollment.State.ACTIVE or channel.enrollment.device_id is None:
        return
    if result.status != Command.State.ACKNOWLEDGED:
        _refused(result)
    elif command.request_type in inventory.REQUEST_TYPES:
        inventory.store(result, plist.load_dict(bytes(result.body), max_bytes=MOST_BYTES))
    else:
        departure.confirm(command, result.received_at)


def _refused(result: Result) -> None:
    if result.status == Command.State.FORMAT_ERROR:  # a fault of ours, which repeating does not mend
        logger.error("a device calls a command malformed", extra=_about(result.command))
    departure.refuse(result.command)


def _give_up_at_last(result_id: int, error: Exception) -> int:
    """A failure of the database passes; one that meets the same result again and again does not."""
    _failures[result_id] += 1
    return _set_aside(result_id, error) if _failures[result_id] >= GIVE_UP else 0


def _set_aside(result_id: int, error: Exception) -> int:
    """Mark an answer that cannot be read, so that it is tried no more.  It stays stored, and the log says so.

    The message of the exception may quote the answer: its type must do.
    """
    with transaction.atomic():
        results = Result.objects.undigested().select_for_update(of=("self",))
        result = results.select_related("command__channel__enrollment").filter(pk=result_id).first()
        if result is not None:
            why, where = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1]
            at = f"{where.filename}:{where.lineno}"
            logger.error("an answer cannot be read", extra=_about(result.command) | {"error": why, "at": at})
            inventory.note_unread(result, why, timezone.now())
            Result.objects.filter(pk=result_id).update(digested_at=timezone.now())
    _failures.pop(result_id, None)
    return 1


def _about(command: Command) -> dict[str, str]:
    return {"command": str(command.uuid), "request_type": command.request_type}
