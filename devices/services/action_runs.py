"""An action to more devices than a request has time for.

Whom it goes to is written down in the transaction that orders it, by one statement: who matches later is not meant.
The worker takes one device after the other, each in a transaction with its result, so what is killed in between goes
on where it was and does nothing twice.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet, Value
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from devices.models import ActionResult, ActionRun, Device
from devices.services import actions
from devices.services.actions import Action, Order, Subject
from epmm import audit
from epmm.models import Job

logger = logging.getLogger(__name__)
KIND: Final = "devices.act"
BITE: Final = 100  # devices whose channels are read together
AT_ONCE: Final = 5_000  # results to delete in one transaction
LONGEST: Final = 500


class NumberChanged(Exception):
    """Nothing was ordered: by now it would go to so many devices, and another number was confirmed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@transaction.atomic
def begin(
    action: Action, order: Order, *, chosen: QuerySet[Device], confirmed: int | None, asked: str, language: str
) -> ActionRun:
    """`confirmed`: the number of devices that somebody agreed to.  Raises NumberChanged."""
    run = ActionRun.objects.create(
        action=action.key,
        values=json.dumps(action.packed(order.values)).encode(),
        asked=asked,
        actor=order.actor,
        address=order.address,
        language=language,
        number=0,
    )
    run.number = _write_down(run, chosen)
    if confirmed is not None and run.number != confirmed:
        raise NumberChanged(run.number)
    run.save(update_fields=["number"])
    _record("device.action_begun", run, order.actor, order.address)
    Job.enqueue(KIND, run=run.pk)
    return run


@transaction.atomic
def stop(run: ActionRun, *, actor: str, address: str | None = None) -> bool:
    """False when it was over before."""
    is_stopped = ActionRun.objects.filter(pk=run.pk, stopped_at=None, done_at=None).update(stopped_at=timezone.now())
    if is_stopped:
        _record("device.action_stopped", run, actor, address)
    return bool(is_stopped)


def work(run_id: int) -> None:
    run = ActionRun.objects.get(pk=run_id)
    action = actions.BY_KEY[run.action]
    with translation.override(run.language or None):
        try:
            values = action.unpacked(json.loads(bytes(run.values)))
        except ObjectDoesNotExist:
            _end(run_id, refusal=_("What it was to be done with has been deleted."))
            return
        order = Order(values=values, actor=run.actor, address=run.address)
        while bite := _next(run_id):
            for result, subject in bite:
                if not _carry_out(action, order, result, subject):
                    return
    _end(run_id)


def forget(oldest: datetime) -> None:
    for run in ActionRun.objects.filter(created_at__lt=oldest).order_by("pk"):
        while keys := list(run.results.values_list("pk", flat=True)[:AT_ONCE]):
            ActionResult.objects.filter(pk__in=keys).delete()
        run.delete()


def _write_down(run: ActionRun, chosen: QuerySet[Device]) -> int:
    named = {"new_run": Value(run.pk), "new_state": Value(ActionResult.State.WAITING.value), "new_said": Value("")}
    rows: QuerySet[Any] = chosen.order_by().annotate(**named)
    query = rows.values_list("new_run", "pk", "new_state", "new_said").query
    select, parameters = query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO devices_actionresult (run_id, device_id, state, said) {select}", parameters)
        return int(cursor.rowcount)


def _next(run_id: int) -> list[tuple[ActionResult, Subject | None]]:
    last = ActionRun.objects.values_list("last_result", flat=True).get(pk=run_id)
    results = list(ActionResult.objects.filter(run=run_id, pk__gt=last).order_by("pk")[:BITE])
    by_device = {subject.device.pk: subject for subject in actions.subjects(_devices(results))}
    return [(result, by_device.get(result.device_id or 0)) for result in results]


def _devices(results: Sequence[ActionResult]) -> QuerySet[Device]:
    keys = [result.device_id for result in results if result.device_id is not None]
    return Device.objects.filter(pk__in=keys).select_related("user").defer("details")


@transaction.atomic
def _carry_out(action: Action, order: Order, result: ActionResult, subject: Subject | None) -> bool:
    """False when there is no more to do for this worker."""
    run = ActionRun.objects.select_for_update().defer("values").get(pk=result.run_id)
    if not run.is_running or run.last_result >= result.pk:
        return False
    is_done, said = _outcome(action, order, subject)
    state = ActionResult.State.DONE if is_done else ActionResult.State.SKIPPED
    ActionResult.objects.filter(pk=result.pk).update(state=state, said=said[:LONGEST])
    run.last_result, run.done, run.skipped = result.pk, run.done + is_done, run.skipped + (not is_done)
    run.save(update_fields=["last_result", "done", "skipped"])
    return True


def _outcome(action: Action, order: Order, subject: Subject | None) -> tuple[bool, str]:
    if subject is None:
        return False, _("This record has been deleted meanwhile.")
    try:
        with transaction.atomic():
            (outcome,) = actions.carry_out(action, [subject], order)
    except DatabaseError:  # the job comes again
        raise
    except Exception:  # what one device brings about keeps nothing from the next
        logger.exception("an action failed on a device", extra={"action": action.key, "device": subject.device.pk})
        return False, _("This failed. The log of the worker says why.")
    return outcome.is_done, outcome.said


def _end(run_id: int, *, refusal: str = "") -> None:
    ActionRun.objects.filter(pk=run_id, done_at=None, stopped_at=None).update(done_at=timezone.now(), refusal=refusal)


def _record(action: str, run: ActionRun, actor: str, address: str | None) -> None:
    details = {"action": run.action, "devices": run.number, "asked": run.asked[:LONGEST], "run": run.pk}
    audit.record(action, actor=actor, address=address, subject_type="device", subject="many devices", details=details)
