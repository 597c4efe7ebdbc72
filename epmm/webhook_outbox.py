"""Tells receivers what happened: at least once, each subject's events in their order, none at another's cost.

First each new event gets a delivery for each webhook that wants it.  A delivery is due when it is not put off, and in
its turn when no earlier one of its subject waits for the same receiver.  Taken ones are given back when their worker
dies, so a receiver may hear of an event twice, and knows it by its id.  One that fails is tried again, later each time,
and is a dead letter in the end; its followers wait behind it until then.
"""

import logging
import random
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from epmm import options, settings_store, webhooks
from epmm.models import Event, Webhook, WebhookDelivery
from epmm.webhook_transport import EACH, RECEIVERS, Outcome

logger = logging.getLogger(__name__)
SPREAD_AT_ONCE: Final = 1000
TAKEN_FOR: Final = timedelta(minutes=1)  # much longer than a request may take
AT_IT_SECONDS: Final = 20.0  # others need the worker, too; it is rung for again at once
LOOK_SECONDS: Final = 0.5
FIRST_RETRY: Final = timedelta(seconds=10)
LAST_RETRY: Final = timedelta(hours=6)
MOST_ATTEMPTS: Final = 14  # in about a day
FIRST_REST: Final = timedelta(seconds=5)
LAST_REST: Final = timedelta(minutes=5)
DOUBLINGS: Final = 20
SPREAD: Final = 0.2  # of each pause, one way or the other: those that failed together come again apart
HOPELESS: Final = 10  # failures at least before a receiver is given up
FORGET_AT_ONCE: Final = 2000
State = WebhookDelivery.State


def is_waiting() -> bool:
    if Event.objects.filter(is_spread=False).exists():
        return True
    now = timezone.now()
    due = WebhookDelivery.objects.due(now).filter(webhook=OuterRef("pk"))
    return _awake(now).filter(Exists(due)).exists()


def _awake(now: datetime) -> QuerySet[Webhook]:
    return Webhook.objects.filter(Q(rests_until=None) | Q(rests_until__lte=now), is_enabled=True)


def drain() -> None:
    """Until nothing is due, or others should have their turn."""
    end = time.monotonic() + AT_IT_SECONDS
    flying: dict[Future[Outcome], WebhookDelivery] = {}
    with ThreadPoolExecutor(EACH * RECEIVERS, thread_name_prefix="webhook") as threads:
        while True:
            if time.monotonic() < end:
                while spread() == SPREAD_AT_ONCE:
                    pass
                for delivery in take():
                    flying[threads.submit(webhooks.tell, delivery.webhook, delivery.event)] = delivery
            if not flying:
                return
            over, _ = wait(flying, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for future in over:
                store(flying.pop(future), _outcome(future))


def _outcome(future: Future[Outcome]) -> Outcome:
    """Whatever is wrong with one must not stop the others."""
    try:
        return future.result()
    except Exception as error:
        logger.exception("an event could not be told")
        return Outcome(status=None, milliseconds=0, excerpt=type(error).__name__)


@transaction.atomic
def spread() -> int:
    """Deliveries for the oldest new events.  One worker waits for the other here, which keeps their order."""
    new = Event.objects.filter(is_spread=False).order_by("pk").select_for_update()
    events = list(new.only("pk", "kind", "subject")[:SPREAD_AT_ONCE])
    if not events:
        return 0
    keys, kinds = [event.pk for event in events], {event.kind for event in events}
    for webhook in Webhook.objects.filter(is_enabled=True):
        if wanted := sorted(kinds.intersection(webhook.kinds)):
            _deliver(webhook, wanted, keys)
            _put_behind(webhook, {event.subject for event in events})
    Event.objects.filter(pk__in=keys).update(is_spread=True)
    return len(events)


def _deliver(webhook: Webhook, kinds: Sequence[str], keys: Sequence[int]) -> None:
    """Written within the database, however many they are."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    given: list[Any] = [webhook.pk, State.QUEUED.value, now, now]
    # none that was committed a moment ago between them: it has its turn next
    of_these = f"id IN ({', '.join(map(str, keys))}) AND kind IN ({', '.join(['%s'] * len(kinds))})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {WebhookDelivery._meta.db_table}"  # noqa: S608 -- names of our own models
            " (webhook_id, event_id, subject, state, attempts, created_at, next_at, excerpt)"
            f" SELECT %s, id, subject, %s, 0, %s, %s, '' FROM {Event._meta.db_table} WHERE {of_these} ORDER BY id",
            [*given, *kinds],
        )


def take() -> Iterable[WebhookDelivery]:
    now = timezone.now()
    due = WebhookDelivery.objects.due(now).filter(webhook=OuterRef("pk"))
    for key in list(_awake(now).filter(Exists(due)).order_by("pk").values_list("pk", flat=True)):
        yield from _take_of(key)


@transaction.atomic
def _take_of(key: int) -> list[WebhookDelivery]:
    """As many as the receiver has places; one at a time while it does not answer."""
    now = timezone.now()
    webhook = _awake(now).select_for_update().filter(pk=key).first()
    if webhook is None:
        return []
    mine = WebhookDelivery.objects.filter(webhook=webhook)
    free = (1 if webhook.rests_until is not None else EACH) - mine.in_the_air(now).count()
    if free <= 0:
        return []
    skip = connection.features.has_select_for_update_skip_locked
    in_turn = mine.due(now).in_turn().order_by("next_at", "pk").select_for_update(skip_locked=skip, of=("self",))
    taken = list(in_turn.select_related("event")[:free])
    if taken:
        keys = [delivery.pk for delivery in taken]
        mine.filter(pk__in=keys).update(taken_until=now + TAKEN_FOR, attempts=F("attempts") + 1)
    elif not mine.in_the_air(now).exists():
        # they were spread while another worker put off what they follow
        _put_behind(webhook, mine.due(now).values_list("subject", flat=True)[:SPREAD_AT_ONCE])
    for delivery in taken:
        delivery.webhook, delivery.attempts = webhook, delivery.attempts + 1
    return taken


def _put_behind(webhook: Webhook, subjects: Iterable[str]) -> None:
    """What follows one that is put off is put off with it: else it would be looked at each time, and rung for."""
    now = timezone.now()
    mine = WebhookDelivery.objects.queued().filter(webhook=webhook, subject__in=set(subjects))
    put_off = mine.filter(next_at__gt=now).values("subject").annotate(until=Max("next_at"), first=Min("event_id"))
    for subject, until, first in put_off.order_by().values_list("subject", "until", "first"):
        mine.filter(subject=subject, event__gt=first, next_at__lte=now).update(next_at=until)


@transaction.atomic
def store(delivery: WebhookDelivery, outcome: Outcome) -> None:
    """Nothing, where another worker has taken it over meanwhile."""
    now = timezone.now()
    changes: dict[str, Any] = {
        "taken_until": None,
        "tried_at": now,
        "status": outcome.status,
        "milliseconds": outcome.milliseconds,
        "excerpt": outcome.excerpt,
    }
    if outcome.is_taken:
        changes |= {"state": State.DELIVERED, "done_at": now}
    elif delivery.attempts >= MOST_ATTEMPTS:
        changes |= {"state": State.DEAD, "done_at": now}
    else:
        changes["next_at"] = now + pause(delivery.attempts, FIRST_RETRY, LAST_RETRY)
    held = WebhookDelivery.objects.queued().filter(pk=delivery.pk, attempts=delivery.attempts)
    if not held.update(**changes):
        return
    if until := changes.get("next_at"):
        mine = WebhookDelivery.objects.queued().filter(webhook=delivery.webhook, subject=delivery.subject)
        mine.filter(event__gt=delivery.event_id, next_at__lt=until).update(next_at=until)
    _note(delivery.webhook, outcome, now)


def pause(times: int, first: timedelta, last: timedelta) -> timedelta:
    doubled: int = 2 ** min(times - 1, DOUBLINGS)
    return min(first * doubled, last) * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - no secret


def _note(webhook: Webhook, outcome: Outcome, now: datetime) -> None:
    """How the receiver does.  Whatever it takes shows that it is well."""
    if outcome.is_taken:
        if webhook.failures or webhook.rests_until:
            Webhook.objects.filter(pk=webhook.pk).update(failures=0, failing_since=None, rests_until=None)
        return
    row = Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    if row is None:
        return
    row.failures, row.failing_since = row.failures + 1, row.failing_since or now
    row.rests_until = now + pause(row.failures, FIRST_REST, LAST_REST) if outcome.is_away else None
    row.save(update_fields=["failures", "failing_since", "rests_until"])
    days = settings_store.read(options.WEBHOOK_GIVE_UP_DAYS)
    if row.failures >= HOPELESS and now - row.failing_since >= timedelta(days=days):
        logger.warning("a webhook is switched off: it has taken nothing for days", extra={"webhook": row.name})
        webhooks.give_up(row, now)


def forget(now: datetime) -> None:
    """What is over, and events that nobody was to hear of or has still to hear of; some at a time."""
    before = now - timedelta(days=settings_store.read(options.WEBHOOK_LOG_DAYS))
    over = WebhookDelivery.objects.filter(done_at__lt=before).order_by("done_at")
    while keys := list(over.values_list("pk", flat=True)[:FORGET_AT_ONCE]):
        WebhookDelivery.objects.filter(pk__in=keys).delete()
    waits_for = WebhookDelivery.objects.filter(event=OuterRef("pk"))
    old = Event.objects.filter(~Exists(waits_for), is_spread=True, at__lt=before).order_by("pk")
    while keys := list(old.values_list("pk", flat=True)[:FORGET_AT_ONCE]):
        Event.objects.filter(pk__in=keys).delete()
