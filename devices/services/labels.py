"""Labels and their members.  Whatever is assigned to a label follows its members."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count

from devices.models import Configuration, Device, Label, LabelMember
from devices.services import configuration_plan
from epmm import audit

LONGEST_NAME = 255
LONGEST_DESCRIPTION = 1000


class LabelRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the administrator."""


def find(name: str) -> Label:
    label = Label.objects.filter(name=name).first()
    if label is None:
        raise LabelRefused(f"There is no label {name}.")
    return label


def with_sizes() -> list[dict[str, Any]]:
    rows = Label.objects.values_list("name", "description").annotate(devices=Count("members")).order_by("name")
    return [{"name": name, "description": description, "devices": devices} for name, description, devices in rows]


def create(name: str, *, description: str = "", actor: str) -> Label:
    name = name.strip()
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise LabelRefused(f"The name of a label has 1 to {LONGEST_NAME} characters and no line breaks.")
    if len(description) > LONGEST_DESCRIPTION or "\0" in description:
        raise LabelRefused(f"The description of a label has at most {LONGEST_DESCRIPTION} characters.")
    try:
        with transaction.atomic():
            label = Label.objects.create(name=name, description=description)
            _audit("label.created", label, actor)
    except IntegrityError as error:
        raise LabelRefused(f"There is a label {name} already.") from error
    return label


@transaction.atomic
def delete(label: Label, *, actor: str) -> None:
    """What was assigned to it goes from its members."""
    configurations = list(Configuration.objects.filter(assignments__label=label))
    _audit("label.deleted", label, actor)
    label.delete()
    for configuration in configurations:
        configuration_plan.plan_soon(configuration)


@transaction.atomic
def add(label: Label, device: Device, *, actor: str) -> bool:
    """False when it is a member already."""
    _, is_new = LabelMember.objects.get_or_create(label=label, device=device)
    if is_new:
        _audit("label.device_added", label, actor, device=str(device.uuid))
        configuration_plan.plan_device_soon(device.pk)
    return is_new


@transaction.atomic
def remove(label: Label, device: Device, *, actor: str) -> bool:
    """False when it is no member."""
    deleted, _ = label.members.filter(device=device).delete()
    if deleted:
        _audit("label.device_removed", label, actor, device=str(device.uuid))
        configuration_plan.plan_device_soon(device.pk)
    return bool(deleted)


def _audit(action: str, label: Label, actor: str, **details: str) -> None:
    audit.record(action, actor=actor, subject_type="label", subject=label.name, details=details)
