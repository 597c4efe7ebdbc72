"""Renaming a label, and giving it other criteria: whatever is assigned to it stays."""

from django.db import IntegrityError, transaction

from devices.models import Label
from devices.services import labels
from epmm import audit


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
