"""Indexes that are built while others write."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState

from epmm.index_aside import AddIndexAside

pytestmark = pytest.mark.django_db(transaction=True)
OPERATION = AddIndexAside("job", models.Index(fields=["kind"], name="job_kind_aside"))


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, "epmm_job"))


@pytest.fixture
def states() -> Iterator[tuple[ProjectState, ProjectState]]:
    before = ProjectState()
    fields: list[tuple[str, models.Field[Any, Any]]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("kind", models.CharField(max_length=64)),
    ]
    before.add_model(ModelState("epmm", "Job", fields))
    after = before.clone()
    OPERATION.state_forwards("epmm", after)
    yield before, after
    with connection.schema_editor(atomic=False) as editor:
        editor.execute("DROP INDEX IF EXISTS job_kind_aside")


@pytest.mark.parametrize("is_broken_off", [False, True])
def test_an_index_is_built_and_taken_away(states: tuple[ProjectState, ProjectState], *, is_broken_off: bool) -> None:
    before, after = states
    if is_broken_off:
        with connection.schema_editor(atomic=False) as editor:
            editor.execute("CREATE INDEX job_kind_aside ON epmm_job (id)")

    with connection.schema_editor(atomic=False) as editor:
        OPERATION.database_forwards("epmm", editor, before, after)
    assert "job_kind_aside" in indexes()

    with connection.schema_editor(atomic=False) as editor:
        OPERATION.database_backwards("epmm", editor, after, before)
    assert "job_kind_aside" not in indexes()


@pytest.mark.service("postgresql")
def test_nobody_waits_for_it(states: tuple[ProjectState, ProjectState]) -> None:
    said: list[str] = []

    def listen(execute: object, sql: str, *rest: object) -> object:
        said.append(sql)
        assert callable(execute)
        return execute(sql, *rest)

    with connection.execute_wrapper(listen), connection.schema_editor(atomic=False) as editor:
        OPERATION.database_forwards("epmm", editor, *states)
    assert said[0] == 'DROP INDEX CONCURRENTLY IF EXISTS "job_kind_aside"'
    assert said[1].startswith('CREATE INDEX CONCURRENTLY "job_kind_aside"')
    assert "job_kind_aside" in indexes()
