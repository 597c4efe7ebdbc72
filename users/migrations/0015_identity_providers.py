"""How people of an identity provider are known here, and which of their sign-ins were completed."""

import django.utils.timezone
import epmm.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0014_ldap_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='SpentSignIn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.BinaryField(max_length=32, unique=True)),
                ('at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
        ),
        migrations.AlterModelOptions(
            name='identityprovider',
            options={'ordering': ['position', 'name']},
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='account_claim',
            field=models.CharField(blank=True, db_default='', default='', max_length=100),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='allowed_groups',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='client_id',
            field=models.CharField(db_default='', default='', max_length=255),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='client_secret',
            field=epmm.fields.EncryptedField(null=True),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='creates_people',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='email_claim',
            field=models.CharField(blank=True, db_default='email', default='email', max_length=100),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='first_name_claim',
            field=models.CharField(blank=True, db_default='given_name', default='given_name', max_length=100),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='for_enrollment',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='for_portal',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='groups_claim',
            field=models.CharField(blank=True, db_default='groups', default='groups', max_length=100),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='issuer',
            field=models.CharField(db_default='', default='', max_length=500),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='last_name_claim',
            field=models.CharField(blank=True, db_default='family_name', default='family_name', max_length=100),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='links_people',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='name_claim',
            field=models.CharField(blank=True, db_default='name', default='name', max_length=100),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='position',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='scopes',
            field=models.CharField(db_default='openid profile email', default='openid profile email', max_length=255),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='user_id_claim',
            field=models.CharField(db_default='preferred_username', default='preferred_username', max_length=100),
        ),
    ]
