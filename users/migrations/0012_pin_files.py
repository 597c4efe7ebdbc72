"""PINs for many as a file, and who took a PIN back."""

import django.db.models.deletion
import django.utils.timezone
import epmm.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0011_directories'),
    ]

    operations = [
        migrations.AddField(
            model_name='registrationpin',
            name='revoked_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
        migrations.CreateModel(
            name='PinFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('people', models.JSONField(default=list)),
                ('done', models.PositiveIntegerField(default=0)),
                ('content', epmm.fields.EncryptedField(null=True)),
                ('created_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('ready_at', models.DateTimeField(null=True)),
                ('fetched_at', models.DateTimeField(null=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pin_files', to=settings.AUTH_USER_MODEL)),
            ],
        ),
    ]
