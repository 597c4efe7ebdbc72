from django.db import migrations

CHUNK = 2000
UPDATE = "UPDATE users_user SET first_name_folded = %s, last_name_folded = %s WHERE id = %s"


def fold(apps, schema_editor):
    people = apps.get_model("users", "User").objects.order_by("pk").values_list("pk", "first_name", "last_name")
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while some := list(people.filter(pk__gt=last)[:CHUNK]):
            cursor.executemany(UPDATE, [(first.casefold(), second.casefold(), pk) for pk, first, second in some])
            last = some[-1][0]


class Migration(migrations.Migration):
    dependencies = [("users", "0003_names_folded")]
    operations = [migrations.RunPython(fold, migrations.RunPython.noop)]
