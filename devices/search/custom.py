"""The fields that an installation has defined: `custom.device.NAME`, `custom.user.NAME`, `user.ldap.ATTRIBUTE`.

They are read for each search that names one, so all processes follow a definition at once.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.text import format_lazy

from devices.models import DeviceAttribute
from devices.search import directory
from devices.search.catalogue import FIELDS
from devices.search.fields import Field, Group, Kind, Registry
from devices.search.sources import Flag, Moment, Number, Source, Value, people_text
from devices.search.tree import Operator
from devices.search.values import Period
from users.models import CustomAttribute, UserAttribute

PREFIX: Final = "custom."
_OF_DEVICE: Final = (DeviceAttribute, "device", "pk")
_OF_USER: Final = (UserAttribute, "user", "user")


@dataclass(frozen=True, slots=True)
class Day(Moment):
    """A column of dates.  A day is compared as the moment at which it begins."""

    def bounds(self, period: Period) -> tuple[date, date]:
        return _first_day(period.start), _first_day(period.end)


@dataclass(frozen=True, slots=True)
class Attribute(Source):
    """Rows of a value each, of devices or of their people; `inner` reads them, and an index of theirs leads there.

    What is unset has no row.  So a device is missed when no row of it matches: asked the other way round, for
    PostgreSQL keeps what NOT IN asks for in memory, or goes through it once for each device.
    """

    attribute: int
    rows: tuple[Any, str, str]  # the model, its owner, and what that is of a device
    inner: Source

    def matches(self, operator: Operator, value: Value) -> Q:
        model, owner, own = self.rows
        found = model.objects.filter(self.inner.matches(operator, value), attribute=self.attribute)
        return Q((f"{own}__in", found.values(owner)))

    def misses(self, operator: Operator, value: Value) -> Q:
        model, owner, own = self.rows
        found = model.objects.filter(self.inner.matches(operator, value), attribute=self.attribute)
        return Q(~Exists(found.filter(**{owner: OuterRef(own)})))


_KINDS: Final[dict[str, tuple[Kind, Source]]] = {
    CustomAttribute.Kind.TEXT: (Kind.TEXT, people_text("folded", indexed=False)),
    CustomAttribute.Kind.NUMBER: (Kind.NUMBER, Number("number")),
    CustomAttribute.Kind.DATE: (Kind.DATE, Day("day")),
    CustomAttribute.Kind.BOOLEAN: (Kind.BOOLEAN, Flag(Q(number=1), Q(number=0))),
}


def fields() -> Registry:
    """All there are now."""
    return fields_for(f"{PREFIX} {directory.PREFIX}")


def fields_for(expression: str) -> Registry:
    """What this expression may name: who asks for nothing of an installation's own does not wait for it."""
    asked, known = expression.lower(), FIELDS
    if PREFIX[:-1] in asked:
        known = known.extended(map(_field, CustomAttribute.objects.order_by("subject", "name")))
    if directory.PREFIX[:-1] in asked:
        known = known.extended(directory.fields(field.key for field in known.fields))
    return known


def _field(attribute: CustomAttribute) -> Field:
    kind, inner = _KINDS[attribute.kind]
    rows = _OF_DEVICE if attribute.subject == CustomAttribute.Subject.DEVICE else _OF_USER
    return Field(
        key=attribute.key,
        label=format_lazy("{subject}: {name}", subject=attribute.get_subject_display(), name=attribute.name),
        kind=kind,
        group=Group.CUSTOM,
        source=Attribute(attribute.pk, rows, inner),
    )


def _first_day(at: datetime) -> date:
    """The first that begins then or later."""
    local = at.astimezone(timezone.get_default_timezone())
    return local.date() if local.time() == time() else local.date() + timedelta(days=1)
