from django.db import migrations, models


class Migration(migrations.Migration):

    # A table of its own: the previous release goes on writing entries, and the worker of this one links them all,
    # those of years ago first.
    dependencies = [
        ('epmm', '0003_audit_filters'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditSeal',
            fields=[
                ('position', models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ('entry_id', models.BigIntegerField(unique=True)),
                ('action', models.CharField(max_length=64)),
                ('at', models.DateTimeField()),
                ('entry_sha256', models.BinaryField(max_length=32)),
                ('digest', models.BinaryField(max_length=32)),
            ],
        ),
    ]
