from django.db import migrations, models


class Migration(migrations.Migration):

    # the previous release does not name the column, and null is what it writes then
    dependencies = [
        ('epmm', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='request_id',
            field=models.CharField(max_length=64, null=True),
        ),
    ]
