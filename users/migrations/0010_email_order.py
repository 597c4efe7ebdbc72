"""The list of people in the order of their addresses."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0009_custom_attributes")]
    operations = [
        migrations.AddIndex(model_name="user", index=models.Index(fields=["email", "id"], name="user_email_order")),
    ]
