"""Labels and their members.  Whatever is assigned to a label follows its members."""

from collections.abc import Collection
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from devices.models import Configuration, ConfigurationAssignment, Device, Label, LabelMember
from devices.services import configuration_plan, label_members, search
from devices.services.search import SearchRefused
from epmm import audit
from epmm.folding import fold

LONGEST_NAME = 255
LONGEST_DESCRIPTION = 1000
COUNTING = 60.0  # seconds
TOO_LARGE = 1 << 63  # for a column of keys


class LabelRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the administrator."""


class UnknownLabel(LabelRefused):
    pass


def find(name: str) -> Label:
    """By its name, in any case; the very spelling goes first.  Raises UnknownLabel."""
    label = Label.objects.filter(name=name).first() or _of_any_case(name)
    if label is None:
        raise UnknownLabel(_("There is no label {name}.").format(name=name))
    return label


def numbered(keys: Collection[int]) -> list[Label]:
    """All of them.  Raises UnknownLabel."""
    found = list(Label.objects.filter(pk__in=[key for key in keys if 0 <= key < TOO_LARGE]))
    if len(found) < len({*keys}):
        raise UnknownLabel(_("There is no label with this number."))
    return found


def with_their_use() -> QuerySet[Label]:
    """With what is assigned to each, for `used_by`."""
    assigned = ConfigurationAssignment.objects.select_related("configuration").defer("configuration__description")
    return Label.objects.prefetch_related(Prefetch("configuration_assignments", assigned))


def used_by(label: Label) -> list[str]:
    """The names of the configurations that are assigned to it."""
    assigned = label.configuration_assignments.all()
    return sorted(each.configuration.name for each in assigned if each.configuration.removed_at is None)


def with_sizes() -> list[dict[str, Any]]:
    """`devices` is None where they cannot be counted: the others are shown all the same."""
    shown = list(Label.objects.order_by("name"))
    sizes = label_members.counts(shown, seconds=COUNTING)
    return [
        {
            "name": label.name,
            "description": label.description,
            "kind": label.kind,
            "criteria": label.criteria,
            "is_built_in": label.is_built_in,
            "devices": size.number if (size := sizes[label.pk]) is not None else None,
            "is_capped": size is not None and size.is_capped,
        }
        for label in shown
    ]


def create(name: str, *, description: str = "", criteria: str | None = None, actor: str) -> Label:
    """With criteria a filter label, else a manual one."""
    name = checked_name(name, description)
    kind = Label.Kind.MANUAL if criteria is None else Label.Kind.FILTER
    written = "" if criteria is None else checked_criteria(criteria)
    try:
        with transaction.atomic():
            label = Label.objects.create(name=name, description=description, kind=kind, criteria=written)
            _audit("label.created", label, actor, **({"criteria": written} if label.is_filter else {}))
    except IntegrityError as error:
        raise already_there(name) from error
    return label


@transaction.atomic
def change_criteria(label: Label, criteria: str, *, actor: str) -> None:
    """Whoever belongs to it now, and does not then, loses what is assigned to it."""
    check_editable(label)
    if not label.is_filter:
        raise LabelRefused(_("{name} is a manual label: it has no criteria.").format(name=label.name))
    label.criteria = checked_criteria(criteria)
    label.save(update_fields=["criteria"])
    _audit("label.criteria_changed", label, actor, criteria=label.criteria)
    label_members.evaluate_soon(label)


@transaction.atomic
def delete(label: Label, *, actor: str) -> None:
    """What was assigned to it goes from its members."""
    check_editable(label)
    configurations = list(Configuration.objects.filter(assignments__label=label))
    _audit("label.deleted", label, actor)
    label.delete()
    for configuration in configurations:
        configuration_plan.plan_soon(configuration)


@transaction.atomic
def add(label: Label, device: Device, *, actor: str) -> bool:
    """False when it is a member already."""
    _check_manual(label)
    _member, is_new = LabelMember.objects.get_or_create(label=label, device=device)
    if is_new:
        _audit("label.device_added", label, actor, device=str(device.uuid))
        configuration_plan.plan_device_soon(device.pk)
    return is_new


@transaction.atomic
def remove(label: Label, device: Device, *, actor: str) -> bool:
    """False when it is no member."""
    _check_manual(label)
    deleted, _by_model = label.members.filter(device=device).delete()
    if deleted:
        _audit("label.device_removed", label, actor, device=str(device.uuid))
        configuration_plan.plan_device_soon(device.pk)
    return bool(deleted)


def _of_any_case(name: str) -> Label | None:
    """Without a folded name are those that an earlier release wrote, and namesakes from the time before it was held."""
    folded = fold(name)
    alike = (label for label in Label.objects.filter(name_folded="").order_by("pk") if fold(label.name) == folded)
    return Label.objects.filter(name_folded=folded).first() or next(alike, None)


def checked_criteria(criteria: str) -> str:
    """The text as it was written: people find their own words again."""
    try:
        search.understand(criteria)
    except SearchRefused as refused:
        raise LabelRefused(str(refused)) from refused
    if not criteria.strip():
        raise LabelRefused(_("A filter label has criteria."))
    return criteria.strip()


def checked_name(name: str, description: str, label: Label | None = None) -> str:
    """The name that `label`, or a new one, may have.  Raises LabelRefused."""
    name = proper_name(name, description)
    if (namesake := _of_any_case(name)) is not None and namesake != label:
        raise already_there(namesake.name)
    return name


def proper_name(name: str, description: str) -> str:
    """Whoever else has it.  Raises LabelRefused."""
    name = name.strip()
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        sentence = _("The name of a label has 1 to {most} characters and no line breaks.")
        raise LabelRefused(sentence.format(most=LONGEST_NAME))
    if len(description) > LONGEST_DESCRIPTION or "\0" in description:
        raise LabelRefused(
            _("The description of a label has at most {most} characters.").format(most=LONGEST_DESCRIPTION)
        )
    return name


def already_there(name: str) -> LabelRefused:
    return LabelRefused(_("There is a label {name} already.").format(name=name))


def check_editable(label: Label) -> None:
    if label.is_built_in:
        raise LabelRefused(_("{name} is built in: it stays as it is.").format(name=label.name))


def _check_manual(label: Label) -> None:
    if label.is_filter:
        sentence = _("{name} is a filter label: its criteria say which devices belong to it.")
        raise LabelRefused(sentence.format(name=label.name))


def _audit(action: str, label: Label, actor: str, **details: str) -> None:
    audit.record(action, actor=actor, subject_type="label", subject=label.name, details=details)
