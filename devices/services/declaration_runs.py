"""A declaration for many devices: they are chosen once, and get it in bites by statements over whole sets.

A bite is a transaction: killed in between, the worker goes on after the last one.  Devices that are alike are asked
about once.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Declaration, DeclarationRun, Device, Enrollment
from devices.services import declaration_places, declarations
from devices.services import selection as selections
from devices.services.declaration_places import Place
from devices.services.declarations import HEAVY, DeclarationRefused
from devices.services.selection import SelectionRefused
from epmm import audit
from epmm.models import Job
from epmm.turns import Turn

KIND: Final = "devices.declare_to_many"
BITE: Final = 1000  # devices in one transaction


@transaction.atomic
def begin(
    declaration: Declaration, *, selection: Mapping[str, Any], takes: bool = False, for_users: bool = False, actor: str
) -> DeclarationRun:
    """Write it down; the worker does it.  `selection`: a label, an expression, or both."""
    try:
        chosen = selections.checked(selection)
    except SelectionRefused as refused:
        raise DeclarationRefused(str(refused)) from refused
    if not chosen.keys() <= {selections.LABEL, selections.SEARCH} or not chosen:
        raise DeclarationRefused(_("Say which devices: by a label or by an expression."))
    run = DeclarationRun.objects.create(
        declaration=declaration, selection=chosen, takes=takes, for_users=for_users, actor=actor
    )
    _record("unassigned_from_many" if takes else "assigned_to_many", run, actor, **chosen)
    Job.enqueue(KIND, run=run.pk)
    return run


def work(run_id: int) -> None:
    turn = Turn(KIND, run=run_id)
    while _bite(run_id):
        if turn.is_over():
            return


@transaction.atomic
def stop(run: DeclarationRun, *, actor: str) -> bool:
    """What was done stays done.  False when it was over before."""
    running = DeclarationRun.objects.filter(pk=run.pk, done_at=None, stopped_at=None)
    is_stopped = bool(running.update(stopped_at=timezone.now()))
    if is_stopped:
        _record("run_stopped", run, actor)
    return is_stopped


def find(uuid: str) -> DeclarationRun:
    try:
        return DeclarationRun.objects.select_related("declaration").get(uuid=UUID(uuid))
    except (ValueError, DeclarationRun.DoesNotExist) as error:
        raise DeclarationRefused(_("There is no run {uuid}.").format(uuid=uuid)) from error


@transaction.atomic
def _bite(run_id: int) -> bool:
    """False when there is nothing left to do."""
    run = DeclarationRun.objects.select_for_update().filter(pk=run_id, done_at=None, stopped_at=None).first()
    if run is None:
        return False
    row = Declaration.objects.defer("profile").get(pk=run.declaration_id)
    looked_at = [] if row.removed_at is not None else _take(run, row) if run.takes else _give(run, row)
    if looked_at:
        run.next_device = looked_at[-1]
    if len(looked_at) < BITE:
        run.done_at = timezone.now()
    run.save(update_fields=["next_device", "done_at", "changed", "unchanged", "refused", "refusals"])
    return run.done_at is None


def _chosen(run: DeclarationRun) -> QuerySet[Device]:
    said = selections.condition(run.selection)
    return Device.objects.filter(selections.NOBODY if said is None else said, pk__gt=run.next_device)


def _give(run: DeclarationRun, row: Declaration) -> list[int]:
    """Those under management, of whatever number of enrollments."""
    active = Enrollment.objects.active().filter(device__in=_chosen(run)).order_by("device_id")
    looked_at = list(active.values_list("device_id", flat=True).distinct()[:BITE])
    enrollments = Enrollment.objects.active().filter(device__in=looked_at).select_related("device").defer(*HEAVY)
    places = declaration_places.of_enrollments(list(enrollments), row.type, for_users=run.for_users)
    verdicts: dict[Place, str | None] = {}
    taking = {}
    for device, place in places.items():
        if place not in verdicts:
            verdicts[place] = declaration_places.why_not(row, place)
        if sentence := verdicts[place]:
            run.refusals[sentence] = run.refusals.get(sentence, 0) + 1
            run.refused += 1
        else:
            taking[device] = place.holder.user_channel
    changed = declarations.give(row, taking)
    run.changed += changed
    run.unchanged += len(taking) - changed
    return looked_at


def _take(run: DeclarationRun, row: Declaration) -> list[int]:
    rows = row.assignments.filter(device__in=_chosen(run))
    looked_at = list(rows.order_by("device_id").values_list("device_id", flat=True).distinct()[:BITE])
    row.assignments.filter(device__in=looked_at).delete()
    declarations.tell_soon(looked_at)
    run.changed += len(looked_at)
    return looked_at


def _record(action: str, run: DeclarationRun, actor: str, **details: Any) -> None:
    subject = run.declaration.identifier
    told = {"run": str(run.uuid), **details}
    audit.record(f"declaration.{action}", actor=actor, subject_type="declaration", subject=subject, details=told)
