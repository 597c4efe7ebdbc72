"""Renaming a label, giving it other criteria or other devices: whatever is assigned to it stays."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction

from devices.models import Label, LabelMember
from devices.services import label_members, labels
from epmm import audit

CHUNK = 1000


def edit(label: Label, *, name: str, description: str, criteria: str | None = None, actor: str) -> None:
    """All of it or nothing; `criteria`: None where they stay."""
    labels.check_editable(label)
    before, name = label.name, labels.checked_name(name, description, label)
    try:
        with transaction.atomic():
            if (name, description) != (before, label.description):
                label.name, label.description = name, description
                label.save(update_fields=["name", "description"])
                details = {"name_before": before}
                audit.record("label.changed", actor=actor, subject_type="label", subject=name, details=details)
            if criteria is not None and criteria.strip() != label.criteria:
                labels.change_criteria(label, criteria, actor=actor)
    except IntegrityError as error:
        raise labels.already_there(name) from error


@transaction.atomic
def exchange(label: Label, *, come: Mapping[str, int], go: Mapping[str, int], actor: str) -> None:
    """Devices of a manual one, by UUID: by few statements, however many."""
    new, gone = list(come.values()), list(go.values())
    made = [LabelMember(label=label, device_id=pk) for pk in new]
    LabelMember.objects.bulk_create(made, batch_size=CHUNK, ignore_conflicts=True)
    for start in range(0, len(gone), CHUNK):
        label.members.filter(device__in=gone[start : start + CHUNK]).delete()
    for action, devices in (("label.device_added", come), ("label.device_removed", go)):
        said = ((label.name, {"device": uuid}) for uuid in devices)
        audit.record_each(action, said, actor=actor, subject_type="label")
    label_members.plan(label, {*new, *gone})
