"""The list of people in the order of their addresses."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("users", "0009_custom_attributes")]
    operations = [
        migrating.AddIndex(model_name="user", index=models.Index(fields=["email", "id"], name="user_email_order")),
    ]
