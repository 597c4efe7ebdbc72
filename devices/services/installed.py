"""The tables of what is on a device: an answer is the whole set of one table, or of a part of what is in it.

Only what differs is written.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any, Final

from django.db.models import Q

from devices.models import (
    AvailableUpdate,
    Device,
    InstalledApplication,
    InstalledCertificate,
    InstalledProfile,
    LocalUser,
    ManagedApplication,
)
from devices.protocol import installed, system

MOST: Final = 20_000  # of one kind on one device: what lists more is no device, and must not hold up the others
_JSON: Final = json.JSONEncoder(sort_keys=True).encode
MANY: Final = 500  # rows to name in one statement; when more are gone, all go


def _add_expiry(row: Any) -> None:
    row.not_after = installed.expiry(bytes(row.der))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    model: Any  # one with a device
    columns: tuple[str, ...]  # what tells two rows apart; the first one is the name
    beside: tuple[str, ...] = ()  # what follows from them
    complete: Callable[[Any], None] | None = None  # what only new rows need
    answered: dict[str, Any] = field(default_factory=dict)  # the rows that answers are the whole set of
    tells_items: bool = False  # a question may say (`Items`) what is to be told of each
    told_once: Q | None = None  # rows that stand until a list names theirs again: it leaves out what was told

    def row(self, device: Device, item: Any) -> Any:
        row = self.model(device=device, **{column: getattr(item, column) for column in self.columns + self.beside})
        if self.complete is not None:
            self.complete(row)
        return row

    def filled(self, item: Any, stored: Sequence[Any] | None) -> Any:
        """What is known of it stands where `item` says nothing."""
        if stored is None:
            return item
        known = dict(zip(self.columns, stored, strict=True))
        silent = {column: value for column, value in known.items() if getattr(item, column) in ("", None)}
        return dataclasses.replace(item, **silent, details=known["details"] | item.details)


TABLES: Final[dict[type[Any], Table]] = {
    installed.Application: Table(
        model=InstalledApplication,
        columns=("identifier", "name", "version", "short_version", "bundle_size", "dynamic_size", "details"),
        tells_items=True,
    ),
    installed.ManagedApplication: Table(
        model=ManagedApplication,
        columns=("identifier", "state", "rejection", "details"),
        answered={"is_declared": False},
        told_once=Q(state__in=installed.TOLD_ONCE),
    ),
    installed.Profile: Table(
        model=InstalledProfile, columns=("identifier", "profile_uuid", "display_name", "is_managed", "details")
    ),
    installed.Certificate: Table(
        model=InstalledCertificate,
        columns=("sha256", "common_name", "is_identity"),
        beside=("der",),
        complete=_add_expiry,
    ),
    system.LocalUser: Table(
        model=LocalUser,
        columns=("name", "full_name", "uid", "guid", "is_logged_in", "has_secure_token", "details"),
    ),
    system.AvailableUpdate: Table(
        model=AvailableUpdate,
        columns=(
            "product_key", "name", "version", "build", "is_critical", "restart_required", "is_security_response",
            "details",
        ),
    ),
}  # fmt: skip


def replace(device: Device, kind: type[Any], items: Iterable[Any], *, is_part: bool = False) -> None:
    """The whole set of one kind of thing, as the device lists it: three statements, however many.

    What a part of the set lists takes the place of what has its names, and all else stays.
    """
    table, listed = TABLES[kind], list(islice(items, MOST))
    stored = table.model.objects.filter(device=device, **table.answered)
    if table.told_once is not None:
        stored = stored.exclude(table.told_once, ~Q(identifier__in=[item.identifier for item in listed]))
    rows = list(stored.values_list("pk", *table.columns))
    if is_part:
        rows, listed = _of_part(table, rows, listed)
    surplus: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for pk, *content in rows:
        surplus[_comparable(content)].append(pk)
    content_of = attrgetter(*table.columns)
    fresh = []
    for item in listed:
        if same := surplus.get(_comparable(content_of(item))):
            same.pop()
        else:
            fresh.append(item)
    gone = [pk for same in surplus.values() for pk in same]
    if len(gone) > MANY and not is_part:
        stored.delete()
        fresh = listed
    elif gone:
        stored.filter(pk__in=gone).delete()
    table.model.objects.bulk_create([table.row(device, item) for item in fresh])


def _of_part(table: Table, rows: list[Any], listed: list[Any]) -> tuple[list[Any], list[Any]]:
    """The rows with the names that are listed, and what is listed with all that is known of it."""
    name_of = attrgetter(table.columns[0])
    named = set(map(name_of, listed))
    rows = [row for row in rows if row[1] in named]
    if table.tells_items:
        known = {row[1]: row[1:] for row in rows}
        listed = [table.filled(item, known.get(name_of(item))) for item in listed]
    return rows, listed


def add(device: Device, kind: type[Any], items: Iterable[Any]) -> None:
    """Of an answer that is older than the table: what has its name there already stands."""
    if kind is installed.ManagedApplication:
        for item in items:
            put(device, item, is_late=True)
        return
    table, name_of = TABLES[kind], attrgetter(TABLES[kind].columns[0])
    known = set(table.model.objects.filter(device=device).values_list(table.columns[0], flat=True))
    new = [item for item in islice(items, MOST) if name_of(item) not in known]
    table.model.objects.bulk_create([table.row(device, item) for item in new])


def put(device: Device, item: installed.ManagedApplication, *, is_late: bool = False) -> None:
    """News of one application; what the last list told of it beside the state stands until the next list.

    Where the table is newer (`is_late`), how something ended still takes the place of what was under way.
    """
    known = ManagedApplication.objects.filter(device=device, identifier=item.identifier, is_declared=False)
    under_way = installed.UNDER_WAY if item.state in installed.TOLD_ONCE else ()
    if is_late and known.exclude(state__in=under_way).exists():
        return
    if not known.update(state=item.state, rejection=item.rejection):
        TABLES[type(item)].row(device, item).save()


def remove(device: Device, item: installed.RemovedApplication) -> None:
    """With its data; a Mac that has another copy lists it again.  What a declaration manages is another matter."""
    known = ManagedApplication.objects.filter(device=device, identifier=item.identifier)
    known.filter(is_declared=False).delete()
    if not known.exists():
        InstalledApplication.objects.filter(device=device, identifier=item.identifier).delete()


def _comparable(content: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(_JSON(value) if isinstance(value, dict) else value for value in content)
