"""Renaming a label: whatever is assigned to it stays."""

from django.db import IntegrityError, transaction

from devices.models import Label
from devices.services.labels import LONGEST_DESCRIPTION, LONGEST_NAME, LabelRefused
from epmm import audit


def edit(label: Label, *, name: str, description: str, actor: str) -> None:
    if label.is_built_in:
        raise LabelRefused(f"{label.name} is built in: it stays as it is.")
    name = name.strip()
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise LabelRefused(f"The name of a label has 1 to {LONGEST_NAME} characters and no line breaks.")
    if len(description) > LONGEST_DESCRIPTION or "\0" in description:
        raise LabelRefused(f"The description of a label has at most {LONGEST_DESCRIPTION} characters.")
    before = label.name
    try:
        with transaction.atomic():
            label.name, label.description = name, description
            label.save(update_fields=["name", "description"])
            audit.record(
                "label.changed", actor=actor, subject_type="label", subject=name, details={"name_before": before}
            )
    except IntegrityError as error:
        raise LabelRefused(f"There is a label {name} already.") from error
