from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0007_password_history")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="hides_personal_data",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
