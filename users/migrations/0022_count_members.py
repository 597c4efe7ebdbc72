"""How many people are in each group; afterwards it is kept."""

from typing import Any

from django.db import migrations, models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from epmm import migrating


def without(groups: models.QuerySet[Any]) -> models.QuerySet[Any]:
    return groups.filter(people=0)


def count(groups: models.QuerySet[Any]) -> None:
    memberships = groups.model._meta.get_field("memberships").related_model.objects
    theirs = memberships.filter(group=OuterRef("pk")).order_by().values("group")
    number = Subquery(theirs.annotate(count=Count("pk")).values("count"))
    groups.update(people=Coalesce(number, 0))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("users", "0021_people_runs")]
    operations = [migrating.FillInChunks("group", without, count)]
