"""Rules for the enrollments of groups."""


import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enrollment', '0004_oauth'),
        ('users', '0016_person_session'),
    ]

    operations = [
        migrations.CreateModel(
            name='Rule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('audience', models.CharField(choices=[('group', 'A group'), ('local', 'Local people')], default='group', max_length=5)),
                ('position', models.PositiveIntegerField()),
                ('kinds', models.CharField(blank=True, max_length=100)),
                ('device_limit', models.PositiveSmallIntegerField(null=True)),
                ('families', models.CharField(blank=True, max_length=100)),
                ('minimum_os', models.CharField(blank=True, max_length=100)),
                ('owner', models.CharField(blank=True, choices=[('COMPANY', 'Company'), ('EMPLOYEE', 'Employee')], max_length=8)),
                ('terms', models.TextField(blank=True)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('changed_by', models.CharField(max_length=255)),
                ('group', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='enrollment_rule', to='users.group')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('audience', 'group'), ('group__isnull', False)), models.Q(('audience', 'local'), ('group', None)), _connector='OR'), name='rule_has_one_audience'), models.UniqueConstraint(condition=models.Q(('audience', 'local')), fields=('audience',), name='rule_of_local_once')],
            },
        ),
    ]
