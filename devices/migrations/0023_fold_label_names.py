"""The oldest of several labels that differ by case alone gets its name; the others keep none until they are renamed."""

from django.db import migrations, models

from epmm import migrating

UPDATE = "UPDATE devices_label SET name_folded = %s WHERE id = %s"


def missing(labels):
    return labels.filter(name_folded="")


def fold(labels):
    every = models.QuerySet(labels.model, using=labels.db)
    taken = set(every.exclude(name_folded="").values_list("name_folded", flat=True))
    values = []
    for name, pk in labels.order_by("pk").values_list("name", "pk"):
        if (folded := name.casefold()) not in taken:
            taken.add(folded)
            values.append((folded, pk))
    migrating.update_each(labels, UPDATE, values)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0022_label_names_folded")]
    operations = [migrating.FillInChunks("label", missing, fold)]
