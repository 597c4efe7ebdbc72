"""An action to more rows than a request has time for.

Whom it goes to is written down in the transaction that orders it, by one statement: who matches later is not meant.
The worker takes one after the other, each in a transaction with its result, so what is killed in between goes on where
it was and does nothing twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet, Value
from django.utils import timezone

from epmm.run_models import Result, ResultState, Run

AT_ONCE: Final = 5_000  # results to delete in one transaction
LONGEST: Final = 500


class NumberChanged(Exception):
    """Nothing was ordered: by now it would go to so many, and another number was confirmed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    is_done: bool
    said: str = ""
    more: dict[str, Any] = field(default_factory=dict, repr=False)  # columns of the result's own model


@transaction.atomic
def begin(run: Run, model: type[Result], chosen: QuerySet[Any], *, confirmed: int | None) -> None:
    """Save it with those it goes to.  `confirmed`: how many somebody agreed to.  Raises NumberChanged."""
    run.number = 0
    run.save()
    run.number = _write_down(run, model, chosen)
    if confirmed is not None and run.number != confirmed:
        raise NumberChanged(run.number)
    run.save(update_fields=["number"])


def _write_down(run: Run, model: type[Result], chosen: QuerySet[Any]) -> int:
    whom = next(each.column for each in model._meta.concrete_fields if each.related_model is chosen.model)
    named = {"new_run": Value(run.pk), "new_state": Value(ResultState.WAITING.value), "new_said": Value("")}
    rows: QuerySet[Any] = chosen.order_by("pk").annotate(**named)
    query = rows.values_list("new_run", "pk", "new_state", "new_said").query
    select, parameters = query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {model._meta.db_table} (run_id, {whom}, state, said) {select}", parameters)
        return int(cursor.rowcount)


def stop(run: Run) -> bool:
    """False when it was over before."""
    open_ones: QuerySet[Any] = QuerySet(type(run)).filter(pk=run.pk, stopped_at=None, done_at=None)
    return bool(open_ones.update(stopped_at=timezone.now()))


def end(run: Run, *, refusal: str = "") -> None:
    open_ones: QuerySet[Any] = QuerySet(type(run)).filter(pk=run.pk, done_at=None, stopped_at=None)
    open_ones.update(done_at=timezone.now(), refusal=refusal)


@transaction.atomic
def carry_out(run: Run, result: Result, act: Callable[[], Outcome]) -> bool:
    """One of them.  False when there is no more to do for this worker."""
    now: Any = QuerySet(type(run)).select_for_update().defer("values").get(pk=run.pk)
    if not now.is_running or now.last_result >= result.pk:
        return False
    outcome = act()
    state = ResultState.DONE if outcome.is_done else ResultState.SKIPPED
    row: QuerySet[Any] = QuerySet(type(result)).filter(pk=result.pk)
    row.update(state=state, said=outcome.said[:LONGEST], **outcome.more)
    now.last_result, now.done, now.skipped = result.pk, now.done + outcome.is_done, now.skipped + (not outcome.is_done)
    now.save(update_fields=["last_result", "done", "skipped"])
    return True


def forget(runs: QuerySet[Any], oldest: datetime) -> None:
    """With their results, some at a time."""
    for run in runs.filter(created_at__lt=oldest).order_by("pk"):
        while keys := list(run.results.values_list("pk", flat=True)[:AT_ONCE]):
            run.results.filter(pk__in=keys).delete()
        run.delete()
