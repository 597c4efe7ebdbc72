"""Commands know whether they ask for a part of what EPMM itself would ask for.

The columns are added in place, one table locked for a moment after the other.  What is open now, and what the previous
release queues meanwhile, counts as it did: its answer is the whole.
"""

from django.db import migrations, models

from epmm import migrating


def partial(model):
    return migrating.AddColumn(model, "is_partial", models.BooleanField(db_default=False, default=False))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0045_declared_applications")]
    operations = [partial("command"), partial("result"), partial("finishedcommand")]
