"""Finding devices by an expression: pages by key, counts up to a cap, and no more than that."""

import base64
import binascii
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import BooleanField, F, Q, QuerySet, prefetch_related_objects
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from devices.models import Device
from devices.search import compile as compiler
from devices.search.custom import fields, fields_for
from devices.search.errors import SearchError
from devices.search.fields import Registry
from devices.search.language import parse
from devices.search.patience import SearchTooSlow, limited
from devices.search.tree import Node

PAGE: Final = 50
LARGEST_PAGE: Final = 1000
CAP: Final = 10_000
# By the key of a field: its column, which has an index with the primary key behind it.
SORTS: Final = {
    "common.id": "",
    "common.last_connected_at": "last_seen_at",
    "common.miclient_last_connected_at": "last_seen_at",
    "common.registration_date": "registered_at",
    "user.display_name": "user_name_folded",
    "ios.DeviceName": "name_folded",
}
DEFAULT_SORT: Final = "-common.last_connected_at"
# SQLite takes a partial index for the very words of its condition, not for a parameter that says the same.
_STANDING: Final = RawSQL("""NOT ("devices_device"."status" = 'RETIRED')""", (), output_field=BooleanField())


class SearchRefused(Exception):
    """The argument is a sentence for whoever searches.  `at`: the character it speaks of, counted from 1."""

    def __init__(self, sentence: str, at: int | None = None) -> None:
        super().__init__(sentence)
        self.at = at


@dataclass(frozen=True, slots=True)
class Page:
    devices: list[Device]
    after: str | None  # where the next one begins


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    is_capped: bool  # there are more

    def __str__(self) -> str:
        return f"{self.number:,}+" if self.is_capped else f"{self.number:,}"


def registry() -> Registry:
    """The fields of this installation."""
    return fields()


def understand(expression: str) -> Node:
    """The tree of an expression that can be searched for.  Raises SearchRefused."""
    try:
        known = fields_for(expression)
        node = parse(expression, known)
        compiler.check(node, known)
    except SearchError as error:
        raise _refused(error) from error
    return node


def matching(expression: str, *, exclude_retired: bool = True) -> QuerySet[Device]:
    """All of them, in no order."""
    return _devices(condition(expression), exclude_retired=exclude_retired)


def condition(expression: str) -> Q:
    try:
        known = fields_for(expression)
        return compiler.compiled(parse(expression, known), known, compiler.here_and_now())
    except SearchError as error:
        raise _refused(error) from error


def find(
    expression: str,
    *,
    exclude_retired: bool = True,
    sort: str = DEFAULT_SORT,
    after: str = "",
    size: int = PAGE,
) -> Page:
    """`sort`: one of SORTS, with a minus for descending; what is unset comes last either way.

    Pages begin after a device, so none is skipped and none comes twice because others come and go.
    """
    order = _Order.of(sort)
    size = max(1, min(size, LARGEST_PAGE))
    devices = _devices(condition(expression), exclude_retired=exclude_retired)
    with _patiently():
        found = order.rows(devices.defer("details"), after, size + 1)
        # not joined: PostgreSQL would look up the user of each device that it has yet to sort
        prefetch_related_objects(found, "user")
    is_more = len(found) > size
    del found[size:]
    return Page(found, order.place_of(found[-1]) if is_more else None)


def count(expression: str, *, exclude_retired: bool = True, cap: int = CAP) -> Count:
    """Exact up to the cap: beyond it nobody counts, and counting on would cost as much as all pages."""
    with _patiently():
        number = matching(expression, exclude_retired=exclude_retired)[: cap + 1].count()
    return Count(min(number, cap), is_capped=number > cap)


def _devices(found: Q, *, exclude_retired: bool) -> QuerySet[Device]:
    devices = Device.objects.filter(found)
    return devices.filter(_STANDING) if exclude_retired else devices


@dataclass(frozen=True, slots=True)
class _Order:
    column: str
    is_descending: bool

    @classmethod
    def of(cls, sort: str) -> "_Order":
        key = sort.removeprefix("-")
        if key not in SORTS:
            raise SearchRefused(
                _("Devices are not sorted by {field}, but by {fields}.").format(field=key, fields=", ".join(SORTS))
            )
        return cls(SORTS[key], sort.startswith("-"))

    def rows(self, devices: QuerySet[Device], after: str, size: int) -> list[Device]:
        """Those without a value come last, by a question of their own: databases disagree where nulls belong."""
        value, pk = self._begin(after)
        if not self.column:
            return list(self._ordered(self._behind(devices, pk), "pk")[:size])
        is_nullable = Device._meta.get_field(self.column).null
        known = devices.filter(**{f"{self.column}__isnull": False}) if is_nullable else devices
        found: list[Device] = []
        if pk is None or value is not None:
            if pk is not None:
                known = known.filter(self._after(value, pk))
            found = list(self._ordered(known, self.column, "pk")[:size])
            pk = None
        if len(found) < size and is_nullable:
            unknown = self._behind(devices.filter(**{f"{self.column}__isnull": True}), pk)
            found += self._ordered(unknown, "pk")[: size - len(found)]
        return found

    def place_of(self, device: Device) -> str:
        value = getattr(device, self.column) if self.column else None
        place = [value.isoformat() if isinstance(value, datetime) else value, device.pk]
        return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode()

    def _begin(self, after: str) -> tuple[Any, int | None]:
        if not after:
            return None, None
        try:
            value, pk = json.loads(base64.urlsafe_b64decode(after.encode("ascii")))
            if value is not None:
                value = datetime.fromisoformat(value) if self.column.endswith("_at") else str(value)
            is_aware = not isinstance(value, datetime) or value.tzinfo is not None
            if is_aware and type(pk) is int and 0 <= pk < 1 << 63 and "\0" not in str(value):
                return value, pk
        except (ValueError, TypeError, RecursionError, binascii.Error):
            pass
        raise SearchRefused(_("The place where the page begins is none of this list."))

    def _behind(self, devices: QuerySet[Device], pk: int | None) -> QuerySet[Device]:
        return devices if pk is None else devices.filter(**{self._beyond("pk"): pk})

    def _after(self, value: Any, pk: int) -> Q:
        """The first half is what an index is entered with."""
        edge = "lte" if self.is_descending else "gte"
        return Q((f"{self.column}__{edge}", value)) & (
            Q((self._beyond(self.column), value)) | Q((self.column, value), (self._beyond("pk"), pk))
        )

    def _beyond(self, column: str) -> str:
        return f"{column}__lt" if self.is_descending else f"{column}__gt"

    def _ordered(self, devices: QuerySet[Device], *columns: str) -> QuerySet[Device]:
        return devices.order_by(*(F(name).desc() if self.is_descending else F(name).asc() for name in columns))


@contextmanager
def _patiently() -> Iterator[None]:
    try:
        with limited():
            yield
    except SearchTooSlow as error:
        raise SearchRefused(_("The search takes too long. Add a condition that fewer devices meet.")) from error


def _refused(error: SearchError) -> SearchRefused:
    return SearchRefused(_(error.message).format(n=error.at, **error.values), error.at)
