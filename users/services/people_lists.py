"""People as lists show them, in the portal and the API: found by what somebody typed, with what stands beside them."""

from typing import Any

from django.apps import apps
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from users.models import User


def find(people: QuerySet[User], text: str) -> QuerySet[User]:
    """By how a name begins: that is what the indexes answer."""
    typed = text.lower()
    starts = Q(user_id__istartswith=typed) | Q(email__istartswith=typed) | Q(managed_apple_account__startswith=typed)
    return people.filter(
        starts | Q(last_name__istartswith=typed) | Q(first_name__istartswith=typed) | Q(full_name__istartswith=typed)
    )


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
