"""Labels as rows of a file: what an export writes, and an import reads.  Who belongs to manual ones is not in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError
from django.utils.translation import gettext as _

from devices.models import Label
from devices.services import label_editing, labels
from devices.services.labels import LabelRefused
from epmm import audit, row_files
from epmm.folding import fold
from epmm.imports import Change, Fault, FieldChange, Report, Row, Value, carry_out
from epmm.row_files import Column, Form

KEY: Final = "name"
COLUMNS: Final = (Column(KEY), Column("description"), Column("kind"), Column("criteria"))
NEW: Final[Mapping[str, Value]] = {"description": "", "kind": Label.Kind.MANUAL.value, "criteria": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLabel:
    change: Change
    label: Label | None
    name: str
    after: Mapping[str, Value]


def run(content: str, form: Form, *, actor: str, dry_run: bool, partial: bool = False, **_more: Any) -> Report[Any]:
    """Raises ImportRefused, LabelRefused; then nothing is changed."""
    rows = row_files.read(content, form, COLUMNS, KEY)
    try:
        return carry_out(rows, LabelPlan(actor), dry_run=dry_run, partial=partial)
    except IntegrityError as error:
        raise LabelRefused(_("Somebody else has just made one of these labels. Try again.")) from error


def rows() -> Iterator[dict[str, Value]]:
    for label in Label.objects.order_by("name", "pk").iterator(chunk_size=1000):
        yield {KEY: label.name, **told(label)}


def told(label: Label) -> dict[str, Value]:
    return {"description": label.description.strip(), "kind": label.kind, "criteria": label.criteria}


class LabelPlan:
    def __init__(self, actor: str) -> None:
        self._actor = actor
        self._lines: dict[str, int] = {}

    def look(self, rows: Sequence[Row], *, locked: bool) -> Iterator[PlannedLabel | Fault]:
        names = [str(row.values[KEY]) for row in rows]
        found = Label.objects.filter(name_folded__in=map(fold, names)) | Label.objects.filter(name__in=names)
        known = {fold(label.name): label for label in (found.select_for_update() if locked else found)}
        for row in rows:
            try:
                yield self._planned(row, known.get(fold(str(row.values[KEY]))))
            except LabelRefused as refused:
                yield Fault(row.line, str(refused))

    def put(self, planned: Sequence[PlannedLabel]) -> None:
        new = [each for each in planned if each.label is None]
        made = [Label(name=each.name, name_folded=fold(each.name), **each.after) for each in new]
        Label.objects.bulk_create(made)
        entries = {label.name: {"criteria": label.criteria} if label.is_filter else {} for label in made}
        audit.record_each("label.created", entries, actor=self._actor, subject_type="label")
        for each in planned:
            if each.label is not None:  # what follows from it is for each to find out
                criteria = str(each.after["criteria"]) if each.label.is_filter else None
                description = str(each.after["description"])
                label_editing.edit(
                    each.label, name=each.label.name, description=description, criteria=criteria, actor=self._actor
                )

    def _planned(self, row: Row, label: Label | None) -> PlannedLabel:
        """Raises LabelRefused."""
        before = NEW if label is None else told(label)
        after = dict(before) | {key: value for key, value in row.values.items() if key != KEY}
        name = labels.proper_name(str(row.values[KEY]), str(after["description"]))
        self._once(name, row.line)
        changed = [key for key in after if after[key] != before[key]]
        if changed or label is None:
            self._judge(label, after, set(changed))
        fields = [FieldChange(key, None if label is None else before[key], after[key]) for key in changed]
        shown = name if label is None else label.name
        change = Change(line=row.line, name=shown, is_new=label is None, fields=fields)
        return PlannedLabel(change=change, label=label, name=name, after=after)

    def _once(self, name: str, line: int) -> None:
        first = self._lines.setdefault(fold(name), line)
        if first != line:
            raise LabelRefused(_("{name} stands in line {n} already.").format(name=name, n=first))

    @staticmethod
    def _judge(label: Label | None, after: Mapping[str, Value], changed: set[str]) -> None:
        if label is not None:
            labels.check_editable(label)
        if after["kind"] not in Label.Kind or (label is not None and "kind" in changed):
            raise LabelRefused(_("A new label is manual or filter, and stays what it is."))
        if after["kind"] == Label.Kind.FILTER:
            labels.checked_criteria(str(after["criteria"]))
        elif after["criteria"]:
            raise LabelRefused(_("A manual label has no criteria."))
