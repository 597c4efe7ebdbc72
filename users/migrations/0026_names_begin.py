"""People by how their names begin, whatever the case of letters."""

from django.db import migrations, models

import epmm.indexed
from epmm import migrating

FOLDED = {"user_first_name": "first_name_folded", "user_last_name": "last_name_folded"}
LOWERED = {
    "user_id_begins": "user_id",
    "user_full_name_begins": "full_name",
    "user_email_begins": "email",
    "user_account_begins": "managed_apple_account",
}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("users", "0025_index_of_accounts")]
    operations = [
        *(
            migrating.AddIndex(model_name="user", index=models.Index(fields=[column], name=name))
            for name, column in FOLDED.items()
        ),
        *(
            migrating.AddIndex(model_name="user", index=models.Index(epmm.indexed.Lowered(column), name=name))
            for name, column in LOWERED.items()
        ),
    ]
