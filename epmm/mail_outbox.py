"""Hands queued mail to the server: some at a time over one connection, each answer stored before the next message.

A row that a worker has taken is put off, so a killed worker gives it back.  Before each message it makes sure that the
message is still its own, and puts it off anew; and no message takes longer than half of that (`mail_transport`): a slow
server is handed nothing twice, however many wait in front.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from epmm.mail_transport import LONGEST_SECONDS, Outcome, ServerAway, Verdict, hand_over, session
from epmm.models import Mail

logger = logging.getLogger(__name__)
AT_ONCE: Final = 20
TAKEN_FOR: Final = 2 * timedelta(seconds=LONGEST_SECONDS)
FIRST_RETRY: Final = timedelta(minutes=1)
LAST_RETRY: Final = timedelta(hours=1)
GIVEN_UP_AFTER: Final = timedelta(days=4)  # RFC 5321, 4.5.4.1: at least four to five days
KEPT: Final = timedelta(days=90)


def is_waiting() -> bool:
    return Mail.objects.due(timezone.now()).exists()


def drain() -> None:
    """Until nothing is due, or the server cannot be reached."""
    while taken := _take():
        try:
            with session() as server:
                for place, mail in enumerate(taken):
                    if not _is_still_ours(mail):
                        continue
                    verdict = hand_over(server, mail.recipient, bytes(mail.content or b""))
                    store(mail, verdict)
                    if verdict.outcome is Outcome.AWAY:
                        _give_back(taken[place + 1 :])
                        return
        except ServerAway as away:
            logger.warning("the mail server takes nothing: %s", away)
            _wait_for_server(taken, str(away))
            return


def _take() -> list[Mail]:
    now = timezone.now()
    with transaction.atomic():
        due = Mail.objects.due(now).order_by("next_at", "pk")
        locked = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        taken = list(locked[:AT_ONCE])
        Mail.objects.filter(pk__in=[mail.pk for mail in taken]).update(next_at=now + TAKEN_FOR)
    for mail in taken:
        mail.next_at = now + TAKEN_FOR
    return taken


def _is_still_ours(mail: Mail) -> bool:
    """Nobody else has taken it since, or stopped it: `next_at` is as we have set it."""
    until = timezone.now() + TAKEN_FOR
    row = Mail.objects.waiting().filter(pk=mail.pk, next_at=mail.next_at)
    mail.next_at = until
    return row.update(next_at=until) == 1


def _give_back(untried: list[Mail]) -> None:
    for mail in untried:
        Mail.objects.waiting().filter(pk=mail.pk, next_at=mail.next_at).update(next_at=timezone.now())


def store(mail: Mail, verdict: Verdict) -> None:
    """What is over keeps neither text nor PIN."""
    now, attempts = timezone.now(), mail.attempts + 1
    changes = {"attempts": attempts, "answer": verdict.words}
    over = {"content": None, "done_at": now}
    match verdict.outcome:
        case Outcome.SENT:
            changes |= over | {"state": Mail.State.SENT}
        case Outcome.LATER | Outcome.AWAY if now - mail.created_at < GIVEN_UP_AFTER:
            changes["next_at"] = now + delay(attempts)
        case _:
            changes |= over | {"state": Mail.State.FAILED}
    Mail.objects.waiting().filter(pk=mail.pk).update(**changes)


def _wait_for_server(taken: list[Mail], said: str) -> None:
    """All that is due waits with those that were tried: each would find the same closed door."""
    for mail in taken:
        store(mail, Verdict(Outcome.AWAY, said))
    first = min(mail.attempts for mail in taken) + 1
    Mail.objects.due(now := timezone.now()).update(next_at=now + delay(first), answer=said)


def delay(attempts: int) -> timedelta:
    doubled: int = 2 ** min(attempts - 1, 10)
    return min(FIRST_RETRY * doubled, LAST_RETRY)


def forget(now: datetime) -> None:
    Mail.objects.filter(done_at__lt=now - KEPT).delete()
