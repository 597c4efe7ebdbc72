"""Labels as rows of a file, manual ones with their devices: what an export writes, and an import reads."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import attrgetter, itemgetter
from typing import Any, Final

from django.db import IntegrityError
from django.utils.translation import gettext as _

from devices.models import Label
from devices.services import label_editing, label_members, labels, listing
from devices.services.labels import LabelRefused
from epmm import audit, row_files
from epmm.folding import fold
from epmm.imports import Change, Fault, FieldChange, Report, Row, Value, carry_out, words
from epmm.row_files import Column, Form, Kind
from users.models import AdminRole

KEY: Final = "name"
DEVICES: Final = "devices"
COLUMNS: Final = (
    Column(KEY),
    Column("description"),
    Column("kind"),
    Column("criteria"),
    Column(DEVICES, Kind.WORDS),
)
NEW: Final[Mapping[str, Value]] = {"description": "", "kind": Label.Kind.MANUAL.value, "criteria": "", DEVICES: ()}
NEEDED: Final = {DEVICES: AdminRole.DEVICE_VIEW}  # to see a column
AT_ONCE: Final = 50  # labels
ASKED: Final = 5_000  # devices by one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLabel:
    change: Change
    label: Label | None
    name: str
    after: Mapping[str, Value]
    come: Mapping[str, int]  # devices, by their UUIDs
    go: Mapping[str, int]


def run(
    content: str, form: Form, *, actor: str, actor_roles: Collection[str], dry_run: bool, partial: bool = False
) -> Report[Any]:
    """Raises ImportRefused, LabelRefused; then nothing is changed."""
    rows = row_files.read(content, form, COLUMNS, KEY)
    plan = LabelPlan(actor, may_apply={AdminRole.LABEL_APPLY, *NEEDED.values()} <= {*actor_roles})
    try:
        return carry_out(rows, plan, dry_run=dry_run, partial=partial)
    except IntegrityError as error:
        raise LabelRefused(_("Somebody else has just made one of these labels. Try again.")) from error


def rows() -> Iterator[dict[str, Value]]:
    """In the order of their keys, as `with_devices` has them; with all devices of one at a time."""
    everything = Label.objects.order_by("pk").iterator(chunk_size=AT_ONCE)
    while some := list(islice(everything, AT_ONCE)):
        for label, devices in with_devices(some):
            yield {KEY: label.name, **told(label), DEVICES: tuple(chain.from_iterable(devices))}


def with_devices(labels: Sequence[Label]) -> Iterator[tuple[Label, Iterable[list[str]]]]:
    """Each with its devices, some of them at a time; read one after the other."""
    walk = groupby(label_members.walk([label.pk for label in labels if not label.is_filter]), itemgetter(0))
    found = next(walk, None)
    for label in sorted(labels, key=attrgetter("pk")):
        if found is None or found[0] != label.pk:
            yield label, ()
            continue
        yield label, (uuids for _label, uuids in found[1])
        found = next(walk, None)


def told(label: Label) -> dict[str, Value]:
    """All but its devices."""
    return {"description": label.description.strip(), "kind": label.kind, "criteria": label.criteria}


class LabelPlan:
    def __init__(self, actor: str, *, may_apply: bool) -> None:
        self._actor, self._may_apply = actor, may_apply
        self._lines: dict[str, int] = {}

    def look(self, rows: Sequence[Row], *, locked: bool) -> Iterator[PlannedLabel | Fault]:
        names = [str(row.values[KEY]) for row in rows]
        found = Label.objects.filter(name_folded__in=map(fold, names)) | Label.objects.filter(name__in=names)
        known = {fold(label.name): label for label in (found.select_for_update() if locked else found)}
        # of rows that do not speak of devices nobody asks for them
        speaking = {fold(str(row.values[KEY])) for row in rows if DEVICES in row.values}
        members = label_members.of_manual(label for name, label in known.items() if name in speaking)
        devices = _devices(rows)
        for row in rows:
            try:
                label = known.get(fold(str(row.values[KEY])))
                yield self._planned(row, label, members.get(label.pk, {}) if label else {}, devices)
            except LabelRefused as refused:
                yield Fault(row.line, str(refused))

    def put(self, planned: Sequence[PlannedLabel]) -> None:
        new = [each for each in planned if each.label is None]
        made = [_made(each) for each in new]
        Label.objects.bulk_create(made)
        entries = ((label.name, {"criteria": label.criteria} if label.is_filter else {}) for label in made)
        audit.record_each("label.created", entries, actor=self._actor, subject_type="label")
        for each, label in zip(new, made, strict=True):
            self._exchange(each, label)
        for each in planned:
            if each.label is not None:  # what follows from it is for each to find out
                criteria = str(each.after["criteria"]) if each.label.is_filter else None
                description = str(each.after["description"])
                label_editing.edit(
                    each.label, name=each.label.name, description=description, criteria=criteria, actor=self._actor
                )
                self._exchange(each, each.label)

    def _exchange(self, planned: PlannedLabel, label: Label) -> None:
        if planned.come or planned.go:
            label_editing.exchange(label, come=planned.come, go=planned.go, actor=self._actor)

    def _planned(
        self, row: Row, label: Label | None, members: Mapping[str, int], devices: Mapping[str, int]
    ) -> PlannedLabel:
        """Raises LabelRefused."""
        before = NEW if label is None else told(label) | {DEVICES: tuple(sorted(members))}
        after = dict(before) | {key: value for key, value in row.values.items() if key != KEY}
        name = labels.proper_name(str(row.values[KEY]), str(after["description"]))
        self._once(name, row.line)
        changed = [key for key in after if after[key] != before[key]]
        if changed or label is None:
            self._judge(label, after, set(changed))
        if DEVICES in changed and not self._may_apply:
            raise LabelRefused(_("Only who may view devices and apply labels may change the devices of one."))
        if unknown := words(after, DEVICES) - members.keys() - devices.keys():
            raise LabelRefused(_("There is no device {uuid}.").format(uuid=min(unknown)))
        fields = [FieldChange(key, None if label is None else before[key], after[key]) for key in changed]
        shown = name if label is None else label.name
        change = Change(line=row.line, name=shown, is_new=label is None, fields=fields)
        wanted = words(after, DEVICES)
        come = {uuid: devices[uuid] for uuid in sorted(wanted - members.keys())}
        go = {uuid: key for uuid, key in members.items() if uuid not in wanted}
        return PlannedLabel(change=change, label=label, name=name, after=after, come=come, go=go)

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
        if after["kind"] == Label.Kind.FILTER and after[DEVICES]:
            raise LabelRefused(_("Criteria say which devices a filter label has."))


def _made(planned: PlannedLabel) -> Label:
    columns = {name: value for name, value in planned.after.items() if name != DEVICES}
    return Label(name=planned.name, name_folded=fold(planned.name), **columns)


def _devices(rows: Sequence[Row]) -> dict[str, int]:
    """Those that are named, as far as they are there."""
    named = sorted({uuid for row in rows if DEVICES in row.values for uuid in words(row.values, DEVICES)})
    found: dict[str, int] = {}
    for start in range(0, len(named), ASKED):
        known = listing.by_uuid(named[start : start + ASKED]).values_list("uuid", "pk")
        found |= {str(uuid): key for uuid, key in known}
    return found
