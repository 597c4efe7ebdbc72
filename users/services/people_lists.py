"""People as lists show them, in the portal and the API: found by what somebody typed, with what stands beside them."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, Final

from django.apps import apps
from django.db import connection
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from epmm.folding import fold
from epmm.indexed import begins, begins_in_any_case
from users.models import User

ANY_CASE: Final = ("user_id", "full_name", "email", "managed_apple_account")
FEW: Final = 500


def find(people: QuerySet[User], text: str) -> QuerySet[User]:
    """By how a name begins: that is what the indexes answer."""
    folded = fold(text)
    tests = [begins("last_name_folded", folded), begins("first_name_folded", folded)]
    tests += [begins_in_any_case(column, text) for column in ANY_CASE]
    few = _few(tests) if connection.vendor == "sqlite" else None
    return people.filter(_any_of(tests) if few is None else Q(pk__in=few))


def _few(tests: Iterable[Q]) -> list[int] | None:
    """Their keys; None if they are many.

    SQLite takes six ranges of indexes for more than the table, and would look through all of it for one person.
    """
    ranges = [Q(pk__in=User.objects.filter(test).order_by().values("pk")[: FEW + 1]) for test in tests]
    keys = list(User.objects.filter(_any_of(ranges)).order_by().values_list("pk", flat=True)[: FEW + 1])
    return keys if len(keys) <= FEW else None


def _any_of(tests: Iterable[Q]) -> Q:
    return reduce(or_, tests)


def counted() -> QuerySet[User]:
    """With how many devices each has."""
    return User.objects.annotate(device_count=Coalesce(Subquery(_devices()), 0))


def device_count(user: User) -> int:
    count: int = getattr(user, "device_count")  # noqa: B009 - annotated
    return count


def everybody() -> QuerySet[User]:
    """With the roles of their own, too."""
    return counted().prefetch_related("role_grants")


def _devices() -> QuerySet[Any]:
    """How many each has, counted for those that are shown alone; people know nothing else of devices."""
    theirs = apps.get_model("devices", "Device").objects.filter(user=OuterRef("pk")).exclude(status="RETIRED")
    counted: QuerySet[Any] = theirs.order_by().values("user").annotate(count=Count("pk")).values("count")
    return counted
