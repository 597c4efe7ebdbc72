"""People as lists show them, in the portal and the API: found by what somebody typed, with what stands beside them."""

from typing import Any, Final

from django.apps import apps
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from epmm import indexed
from epmm.folding import fold
from epmm.indexed import begins, begins_in_any_case
from users.models import User

ANY_CASE: Final = ("user_id", "full_name", "email", "managed_apple_account")


def find(people: QuerySet[User], text: str) -> QuerySet[User]:
    """By how a name begins: that is what the indexes answer."""
    folded = fold(text)
    names = [begins("last_name_folded", folded), begins("first_name_folded", folded)]
    return indexed.find(people, names + [begins_in_any_case(column, text) for column in ANY_CASE])


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
