"""An action to more people than a request has time for; see epmm/runs.py."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from epmm import audit, runs
from epmm.models import Job
from epmm.runs import LONGEST, Outcome
from epmm.turns import Turn
from users.models import PeopleResult, PeopleRun, User
from users.services import people_actions
from users.services.people_actions import Order, PersonAction

logger = logging.getLogger(__name__)
KIND: Final = "users.act"
BITE: Final = 100
KEPT: Final = timedelta(days=1)  # for whoever ordered it to fetch passwords and PINs


@transaction.atomic
def begin(
    action: PersonAction,
    values: Mapping[str, Any],
    *,
    chosen: QuerySet[User],
    confirmed: int | None = None,
    asked: str,
    actor: str,
    address: str | None,
    language: str,
) -> PeopleRun:
    """`confirmed`: the number of people that somebody agreed to.  Raises NumberChanged."""
    told = json.dumps(values).encode()
    run = PeopleRun(action=action.key, values=told, asked=asked, actor=actor, address=address, language=language)
    runs.begin(run, PeopleResult, chosen, confirmed=confirmed)
    _record("user.action_begun", run, actor, address)
    Job.enqueue(KIND, run=run.pk)
    return run


@transaction.atomic
def stop(run: PeopleRun, *, actor: str, address: str | None = None) -> bool:
    """False when it was over before."""
    is_stopped = runs.stop(run)
    if is_stopped:
        _record("user.action_stopped", run, actor, address)
    return is_stopped


def work(run_id: int) -> None:
    run = PeopleRun.objects.get(pk=run_id)
    action = people_actions.BY_KEY[run.action]
    values = json.loads(bytes(run.values))
    turn = Turn(KIND, run=run_id)
    with translation.override(run.language or None):
        while bite := _next(run_id):
            roles = _roles(run.actor)
            if action.role not in roles:
                runs.end(run, refusal=_("Whoever ordered it may do so no longer."))
                return
            order = Order(actor=run.actor, roles=roles, values=values)
            for result, user in bite:
                mine = replace(order, prepared=action.prepare(user)) if action.prepare and user is not None else order
                if not runs.carry_out(run, result, partial(_outcome, action, mine, user)):
                    return
            if turn.is_over():
                return
    runs.end(run)


def forget(oldest: datetime) -> None:
    runs.forget(PeopleRun.objects.all(), oldest)


# --- What is shown once -----------------------------------------------------------------------------------------------


def has_secrets(run: PeopleRun, owner: User) -> bool:
    """Whether this administrator may fetch them, now."""
    is_secret = people_actions.BY_KEY[run.action].is_secret
    return is_secret and not run.is_running and run.closed_at is None and run.done > 0 and run.actor == owner.user_id


@transaction.atomic
def fetch(run: PeopleRun, owner: User) -> list[tuple[User, str]] | None:
    """Each with what is theirs, for the first time it is asked for; None when there is nothing any more."""
    now = PeopleRun.objects.select_for_update().defer("values").get(pk=run.pk)
    if not has_secrets(now, owner):
        return None
    found = list(_secrets(now))
    _close(now)
    _record("user.action_fetched", now, owner.user_id, None)
    return found


def close_old(now: datetime) -> None:
    """A periodic job: what nobody has fetched in time is gone."""
    over = PeopleRun.objects.filter(closed_at=None).exclude(done_at=None, stopped_at=None)
    for run in over.filter(created_at__lt=now - KEPT).defer("values"):
        if (run.done_at or run.stopped_at or now) < now - KEPT:
            _close(run)


def _secrets(run: PeopleRun) -> Iterator[tuple[User, str]]:
    rows = run.results.filter(secret__isnull=False).select_related("user").order_by("pk")
    for row in rows.iterator(chunk_size=BITE):
        if row.user is not None and row.secret is not None:
            yield row.user, bytes(row.secret).decode()


def _close(run: PeopleRun) -> None:
    run.results.filter(secret__isnull=False).update(secret=None)
    PeopleRun.objects.filter(pk=run.pk).update(closed_at=timezone.now())


# --- One after the other ----------------------------------------------------------------------------------------------


def _roles(actor: str) -> frozenset[str]:
    """As they are now: who loses one does no more with it."""
    user = User.objects.filter(user_id=actor, is_active=True).first()
    return user.admin_role_keys() if user is not None else frozenset()


def _next(run_id: int) -> list[tuple[PeopleResult, User | None]]:
    last = PeopleRun.objects.values_list("last_result", flat=True).get(pk=run_id)
    results = list(PeopleResult.objects.filter(run=run_id, pk__gt=last).order_by("pk")[:BITE])
    keys = [result.user_id for result in results if result.user_id is not None]
    people = {user.pk: user for user in User.objects.filter(pk__in=keys).prefetch_related("role_grants")}
    return [(result, people.get(result.user_id or 0)) for result in results]


def _outcome(action: PersonAction, order: Order, user: User | None) -> Outcome:
    if user is None:
        return Outcome(is_done=False, said=_("This person has been deleted meanwhile."))
    try:
        with transaction.atomic():
            problem, told = people_actions.carry_out(action, user, order)
    except DatabaseError:  # the job comes again
        raise
    except Exception:  # what one person brings about keeps nothing from the next
        logger.exception("an action failed on a person", extra={"action": action.key, "user": user.pk})
        return Outcome(is_done=False, said=_("This failed. The log of the worker says why."))
    if problem or not action.is_secret:
        return Outcome(is_done=not problem, said=problem or told)
    return Outcome(is_done=True, more={"secret": told.encode()})


def _record(action: str, run: PeopleRun, actor: str, address: str | None) -> None:
    details = {"action": run.action, "people": run.number, "asked": run.asked[:LONGEST], "run": run.pk}
    audit.record(action, actor=actor, address=address, subject_type="user", subject="many people", details=details)
