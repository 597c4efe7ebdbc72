from django.db import migrations
from django.db.models import Q

from epmm import migrating

UPDATE = "UPDATE users_user SET first_name_folded = %s, last_name_folded = %s WHERE id = %s"


def missing(people):
    first = Q(first_name_folded="") & ~Q(first_name="")
    return people.filter(first | Q(last_name_folded="") & ~Q(last_name=""))


def fold(people):
    names = people.values_list("first_name", "last_name", "pk")
    migrating.update_each(people, UPDATE, [(first.casefold(), last.casefold(), pk) for first, last, pk in names])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("users", "0003_names_folded")]
    operations = [migrating.FillInChunks("user", missing, fold)]
