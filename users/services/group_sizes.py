"""How many people are in a group: kept beside it, for a page of groups would count all their members."""

from collections.abc import Iterable

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from users.models import Group, Membership


def recount(groups: Iterable[int]) -> None:
    """After members came or went."""
    theirs = Membership.objects.filter(group=OuterRef("pk")).order_by().values("group")
    number = Coalesce(Subquery(theirs.annotate(count=Count("pk")).values("count")), 0)
    if keys := list(groups):
        Group.objects.filter(pk__in=keys).update(people=number)
