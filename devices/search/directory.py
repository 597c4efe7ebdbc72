"""What directories know of the people whose devices these are.

As with custom attributes, an index of a value or a group's name leads to people, and their key to devices; of what is
unset there is no row, so a device is missed when none matches.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from devices.search.fields import Field, Group, Kind
from devices.search.sources import Source, Value, people_text
from devices.search.tree import Operator
from users.models import Directory, DirectoryValue, Membership
from users.models import Group as PeopleGroup

PREFIX: Final = "user.ldap."


@dataclass(frozen=True, slots=True)
class Known(Source):
    """The values of one attribute."""

    name: str

    def matches(self, operator: Operator, value: Value) -> Q:
        return Q(user__in=self._found(operator, value).values("user"))

    def misses(self, operator: Operator, value: Value) -> Q:
        return Q(~Exists(self._found(operator, value).filter(user=OuterRef("user"))))

    def _found(self, operator: Operator, value: Value) -> QuerySet[Any]:
        inner = people_text("folded", indexed=False).matches(operator, value)
        return DirectoryValue.objects.filter(inner, name=self.name)


@dataclass(frozen=True, slots=True)
class InGroup(Source):
    """Groups of directories, by their names."""

    def matches(self, operator: Operator, value: Value) -> Q:
        return Q(user__in=self._found(operator, value).values("user"))

    def misses(self, operator: Operator, value: Value) -> Q:
        return Q(~Exists(self._found(operator, value).filter(user=OuterRef("user"))))

    def _found(self, operator: Operator, value: Value) -> QuerySet[Any]:
        inner = people_text("name_folded", indexed=False).matches(operator, value)
        groups = PeopleGroup.objects.filter(inner, directory__isnull=False, kind=PeopleGroup.Kind.GROUP)
        return Membership.objects.filter(group__in=groups)


def fields(taken: Iterable[str]) -> Iterator[Field]:
    """One for each attribute that some directory keeps to be searched for."""
    seen = {key.lower() for key in taken}
    for names in Directory.objects.order_by("pk").values_list("searched_attributes", flat=True):
        for name in names:
            key = PREFIX + name
            if key.lower() not in seen:
                seen.add(key.lower())
                yield Field(
                    key=key, label=f"LDAP: {name}", kind=Kind.LIST, group=Group.LDAP, source=Known(name.lower())
                )
