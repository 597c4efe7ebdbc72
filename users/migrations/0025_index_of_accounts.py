"""Managed Apple Accounts are unique by an index of those people who have one.

SQLite takes all people without an account for people with the same one, and read the whole table to find one person.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0024_idempotent_calls"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                condition=models.Q(("managed_apple_account__isnull", False)),
                fields=("managed_apple_account",),
                name="user_account_is_one_persons",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="managed_apple_account",
            field=models.CharField(blank=True, max_length=320, null=True),
        ),
    ]
