"""An action to more devices than a request has time for; see epmm/runs.py."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from devices.models import ActionResult, ActionRun, Device
from devices.services import actions
from devices.services.actions import Action, Order, Subject
from epmm import audit, runs
from epmm.models import Job
from epmm.runs import LONGEST, Outcome
from epmm.turns import Turn

logger = logging.getLogger(__name__)
KIND: Final = "devices.act"
BITE: Final = 100  # devices whose channels are read together


@transaction.atomic
def begin(
    action: Action, order: Order, *, chosen: QuerySet[Device], confirmed: int | None, asked: str, language: str
) -> ActionRun:
    """`confirmed`: the number of devices that somebody agreed to.  Raises NumberChanged."""
    run = ActionRun(
        action=action.key,
        values=json.dumps(action.packed(order.values)).encode(),
        asked=asked,
        actor=order.actor,
        address=order.address,
        language=language,
    )
    runs.begin(run, ActionResult, chosen, confirmed=confirmed)
    _record("device.action_begun", run, order.actor, order.address)
    Job.enqueue(KIND, run=run.pk)
    return run


@transaction.atomic
def stop(run: ActionRun, *, actor: str, address: str | None = None) -> bool:
    """False when it was over before."""
    is_stopped = runs.stop(run)
    if is_stopped:
        _record("device.action_stopped", run, actor, address)
    return is_stopped


def work(run_id: int) -> None:
    run = ActionRun.objects.get(pk=run_id)
    action = actions.BY_KEY[run.action]
    with translation.override(run.language or None):
        try:
            values = action.unpacked(json.loads(bytes(run.values)))
        except ObjectDoesNotExist:
            runs.end(run, refusal=_("What it was to be done with has been deleted."))
            return
        order = Order(values=values, actor=run.actor, address=run.address)
        turn = Turn(KIND, run=run_id)
        while bite := _next(run_id):
            for result, subject in bite:
                if not runs.carry_out(run, result, partial(_outcome, action, order, subject)):
                    return
            if turn.is_over():
                return
    runs.end(run)


def forget(oldest: datetime) -> None:
    runs.forget(ActionRun.objects.all(), oldest)


def _next(run_id: int) -> list[tuple[ActionResult, Subject | None]]:
    last = ActionRun.objects.values_list("last_result", flat=True).get(pk=run_id)
    results = list(ActionResult.objects.filter(run=run_id, pk__gt=last).order_by("pk")[:BITE])
    by_device = {subject.device.pk: subject for subject in actions.subjects(_devices(results))}
    return [(result, by_device.get(result.device_id or 0)) for result in results]


def _devices(results: Sequence[ActionResult]) -> QuerySet[Device]:
    keys = [result.device_id for result in results if result.device_id is not None]
    return Device.objects.filter(pk__in=keys).select_related("user").defer("details")


def _outcome(action: Action, order: Order, subject: Subject | None) -> Outcome:
    if subject is None:
        return Outcome(is_done=False, said=_("This record has been deleted meanwhile."))
    try:
        with transaction.atomic():
            (outcome,) = actions.carry_out(action, [subject], order)
    except DatabaseError:  # the job comes again
        raise
    except Exception:  # what one device brings about keeps nothing from the next
        logger.exception("an action failed on a device", extra={"action": action.key, "device": subject.device.pk})
        return Outcome(is_done=False, said=_("This failed. The log of the worker says why."))
    return Outcome(is_done=outcome.is_done, said=outcome.said)


def _record(action: str, run: ActionRun, actor: str, address: str | None) -> None:
    details = {"action": run.action, "devices": run.number, "asked": run.asked[:LONGEST], "run": run.pk}
    audit.record(action, actor=actor, address=address, subject_type="device", subject="many devices", details=details)
