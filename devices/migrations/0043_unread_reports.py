"""Status reports wait for the worker.

The columns are added in place.  What is there has been read, and so has what the previous release writes, which knows no
such column and reads each report at once; hence the default in the database.
"""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0042_refused_tokens")]
    operations = [
        migrating.AddColumn("statusreport", "is_read", models.BooleanField(db_default=True, default=False)),
        migrating.AddColumn("statusreport", "came_at", models.DateTimeField(null=True)),
        migrating.AddColumn("declarationset", "items_served_at", models.DateTimeField(null=True)),
        migrating.AddIndex(
            "statusreport",
            models.Index(fields=["id"], condition=models.Q(is_read=False), name="status_report_unread"),
        ),
    ]
