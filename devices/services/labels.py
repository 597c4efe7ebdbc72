"""Labels and their members.  Whatever is assigned to a label follows its members."""

from typing import Any

from django.db import IntegrityError, transaction

from devices.models import Configuration, Device, Label, LabelMember
from devices.services import configuration_plan, label_members, search
from devices.services.search import SearchRefused
from epmm import audit
from epmm.folding import fold

LONGEST_NAME = 255
LONGEST_DESCRIPTION = 1000


class LabelRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the administrator."""


def find(name: str) -> Label:
    """By its name, in any case; the very spelling goes first."""
    label = Label.objects.filter(name=name).first() or _of_any_case(name)
    if label is None:
        raise LabelRefused(f"There is no label {name}.")
    return label


def with_sizes() -> list[dict[str, Any]]:
    """`devices` is None where they cannot be counted: the others are shown all the same."""
    return [
        {
            "name": label.name,
            "description": label.description,
            "kind": label.kind,
            "criteria": label.criteria,
            "is_built_in": label.is_built_in,
            **_size(label),
        }
        for label in Label.objects.order_by("name")
    ]


def _size(label: Label) -> dict[str, Any]:
    try:
        size = label_members.count(label)
    except SearchRefused:
        return {"devices": None, "is_capped": False}
    return {"devices": size.number, "is_capped": size.is_capped}


def create(name: str, *, description: str = "", criteria: str | None = None, actor: str) -> Label:
    """With criteria a filter label, else a manual one."""
    name = name.strip()
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise LabelRefused(f"The name of a label has 1 to {LONGEST_NAME} characters and no line breaks.")
    if len(description) > LONGEST_DESCRIPTION or "\0" in description:
        raise LabelRefused(f"The description of a label has at most {LONGEST_DESCRIPTION} characters.")
    if _of_any_case(name) is not None:
        raise LabelRefused(f"There is a label {name} already.")
    kind = Label.Kind.MANUAL if criteria is None else Label.Kind.FILTER
    written = "" if criteria is None else _checked(criteria)
    try:
        with transaction.atomic():
            label = Label.objects.create(name=name, description=description, kind=kind, criteria=written)
            _audit("label.created", label, actor, **({"criteria": written} if label.is_filter else {}))
    except IntegrityError as error:
        raise LabelRefused(f"There is a label {name} already.") from error
    return label


@transaction.atomic
def change_criteria(label: Label, criteria: str, *, actor: str) -> None:
    """Whoever belongs to it now, and does not then, loses what is assigned to it."""
    _check_editable(label)
    if not label.is_filter:
        raise LabelRefused(f"{label.name} is a manual label: it has no criteria.")
    label.criteria = _checked(criteria)
    label.save(update_fields=["criteria"])
    _audit("label.criteria_changed", label, actor, criteria=label.criteria)
    label_members.evaluate_soon(label)


@transaction.atomic
def delete(label: Label, *, actor: str) -> None:
    """What was assigned to it goes from its members."""
    _check_editable(label)
    configurations = list(Configuration.objects.filter(assignments__label=label))
    _audit("label.deleted", label, actor)
    label.delete()
    for configuration in configurations:
        configuration_plan.plan_soon(configuration)


@transaction.atomic
def add(label: Label, device: Device, *, actor: str) -> bool:
    """False when it is a member already."""
    _check_manual(label)
    _, is_new = LabelMember.objects.get_or_create(label=label, device=device)
    if is_new:
        _audit("label.device_added", label, actor, device=str(device.uuid))
        configuration_plan.plan_device_soon(device.pk)
    return is_new


@transaction.atomic
def remove(label: Label, device: Device, *, actor: str) -> bool:
    """False when it is no member."""
    _check_manual(label)
    deleted, _ = label.members.filter(device=device).delete()
    if deleted:
        _audit("label.device_removed", label, actor, device=str(device.uuid))
        configuration_plan.plan_device_soon(device.pk)
    return bool(deleted)


def _of_any_case(name: str) -> Label | None:
    folded = fold(name)
    return next((label for label in Label.objects.order_by("pk") if fold(label.name) == folded), None)


def _checked(criteria: str) -> str:
    """The text as it was written: people find their own words again."""
    try:
        search.understand(criteria)
    except SearchRefused as refused:
        raise LabelRefused(str(refused)) from refused
    if not criteria.strip():
        raise LabelRefused("A filter label has criteria.")
    return criteria.strip()


def _check_editable(label: Label) -> None:
    if label.is_built_in:
        raise LabelRefused(f"{label.name} is built in: it stays as it is.")


def _check_manual(label: Label) -> None:
    if label.is_filter:
        raise LabelRefused(f"{label.name} is a filter label: its criteria say which devices belong to it.")


def _audit(action: str, label: Label, actor: str, **details: str) -> None:
    audit.record(action, actor=actor, subject_type="label", subject=label.name, details=details)
