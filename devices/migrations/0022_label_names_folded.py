"""Names of labels are unique in any case.  A row without the folded name is held by none: see the migration after."""

from django.db import migrations, models

import epmm.folding


class Migration(migrations.Migration):
    dependencies = [("devices", "0021_action_runs")]
    operations = [
        migrations.AddField("label", "name_folded", epmm.folding.FoldedField()),
        migrations.AddConstraint(
            "label",
            models.UniqueConstraint(
                fields=["name_folded"], condition=~models.Q(name_folded=""), name="label_name_any_case"
            ),
        ),
    ]
