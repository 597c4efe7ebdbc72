"""What migrations do to large tables may be broken off and begun again."""

from typing import Any

import pytest
from django.apps import apps
from django.db import NotSupportedError, connection, migrations, models
from django.db.migrations.state import ProjectState

from epmm import migrating
from epmm.models import Job

INDEX = models.Index(fields=["attempts", "kind"], name="job_for_a_test")


def run(operation: Any, *, forwards: bool = True) -> None:
    before = ProjectState.from_apps(apps)
    operation.state_forwards("epmm", after := before.clone())
    with connection.schema_editor(atomic=False) as editor:
        if forwards:
            operation.database_forwards("epmm", editor, before, after)
        else:
            operation.database_backwards("epmm", editor, after, before)


def is_there() -> bool:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "epmm_job")
    return INDEX.name in constraints


@pytest.mark.django_db(transaction=True)
def test_an_index_comes_and_goes() -> None:
    operation = migrating.AddIndex("job", INDEX)
    run(operation)
    run(operation)  # broken off after it, and begun again
    assert is_there()

    run(operation, forwards=False)
    assert not is_there()


@pytest.mark.django_db(transaction=True)
def test_an_index_that_is_given_up_can_come_back() -> None:
    removal = migrating.RemoveIndex("job", "job_open")
    run(removal)
    with connection.cursor() as cursor:
        assert "job_open" not in connection.introspection.get_constraints(cursor, "epmm_job")

    state = ProjectState.from_apps(apps)
    with connection.schema_editor(atomic=False) as editor:
        removal.database_backwards("epmm", editor, state, state)
    with connection.cursor() as cursor:
        assert "job_open" in connection.introspection.get_constraints(cursor, "epmm_job")


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_what_is_left_of_an_index_is_built_anew() -> None:
    run(migrating.AddIndex("job", INDEX))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'job_for_a_test'::regclass")

    run(migrating.AddIndex("job", INDEX))

    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'job_for_a_test'::regclass")
        assert cursor.fetchone() == (True,)
    run(migrating.AddIndex("job", INDEX), forwards=False)


def missing(jobs: Any) -> Any:
    return jobs.filter(last_error="")


@pytest.mark.django_db(transaction=True)
def test_rows_are_filled_in_chunks_and_what_is_done_stays_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "CHUNK", 2)
    Job.objects.bulk_create([Job(kind=str(number)) for number in range(5)])
    filled: list[list[str]] = []

    def fill(jobs: Any) -> None:
        filled.append(sorted(jobs.values_list("kind", flat=True)))
        jobs.update(last_error="filled")
        if filled == [["0", "1"], ["2", "3"]]:
            raise ConnectionError

    operation = migrating.FillInChunks("job", missing, fill)
    with pytest.raises(ConnectionError):
        run(operation)
    assert Job.objects.filter(last_error="filled").count() == 2

    run(operation)

    assert filled == [["0", "1"], ["2", "3"], ["2", "3"], ["4"]]
    assert not missing(Job.objects).exists()
    run(operation, forwards=False)  # what it filled the previous release does not read


@pytest.mark.django_db(transaction=True)
def test_a_column_comes_in_place() -> None:
    """Its default is known to what does not name it: a row of the release before, and a trigger of SQLite is left."""
    Job.objects.create(kind="before")
    operation = migrating.AddColumn("job", "note", models.CharField(max_length=9, default="none", db_default="none"))
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("CREATE TRIGGER job_seen AFTER INSERT ON epmm_job BEGIN SELECT 1; END")
        run(operation)
        run(operation)  # broken off after it, and begun again
        Job.objects.create(kind="after")
        cursor.execute("SELECT note FROM epmm_job")
        assert cursor.fetchall() == [("none",), ("none",)]
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER job_seen")
    run(operation, forwards=False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "operation",
    [migrating.AddIndex("job", INDEX), migrating.FillInChunks("job", missing, missing)],
    ids=["index", "rows"],
)
def test_within_a_transaction_it_is_refused(operation: Any) -> None:
    state = ProjectState.from_apps(apps)
    editor = connection.SchemaEditorClass(connection, atomic=False)

    with pytest.raises(NotSupportedError, match="atomic = False"):
        operation.database_forwards("epmm", editor, state, state)
    assert issubclass(migrating.AddIndex, migrations.AddIndex)  # the state that `makemigrations` compares is the same
