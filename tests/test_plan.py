"""What runs where: the rule of `plan.py`, on tests that are none."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests import plan


@dataclass(frozen=True)
class Told:
    """As much of a test as the plan asks for."""

    marks: tuple[pytest.Mark, ...] = ()
    nodeid: str = "tests/users/test_people.py::test"
    fixturenames: tuple[str, ...] = ()

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        return [mark for mark in self.marks if mark.name == name]

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return next(iter(self.iter_markers(name)), None)


def marked(*marks: pytest.MarkDecorator, **more: Any) -> Any:
    return Told(tuple(each.mark for each in marks), **more)


DB, ONCE, LONG, SERVICE = pytest.mark.django_db, pytest.mark.once, pytest.mark.long, pytest.mark.service
PAGE = "tests/portal/test_people.py::test"


@pytest.mark.parametrize(
    ("item", "on_sqlite", "on_postgresql"),
    [
        (marked(), True, False),
        (marked(DB), True, True),
        (marked(fixturenames=("db",)), True, True),
        (marked(DB(transaction=True), ONCE), True, False),
        (marked(SERVICE("chromium", "database")), True, True),
        (marked(DB, nodeid=PAGE), False, True),
        (marked(nodeid=PAGE), True, False),
        (marked(DB, ONCE, nodeid=PAGE), True, False),
        (marked(DB, SERVICE("database"), nodeid=PAGE), True, True),
        (marked(DB, SERVICE("postgresql")), False, True),
        (marked(DB, SERVICE("sqlite")), True, False),
    ],
)
def test_a_test_runs_where_its_database_may_differ(
    item: Any, *, on_sqlite: bool, on_postgresql: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EPMM_DATABASE_URL", raising=False)
    assert plan.belongs_here(item) is on_sqlite

    monkeypatch.setenv("EPMM_DATABASE_URL", "postgresql://epmm@127.0.0.1/postgres")
    assert plan.belongs_here(item) is on_postgresql


@pytest.mark.parametrize(
    ("item", "is_long", "counts"),
    [
        (marked(DB), False, True),
        (marked(DB, ONCE), False, False),
        (marked(DB, LONG), True, False),
        (marked(SERVICE("chromium")), True, False),
        (marked(SERVICE("openssl")), False, True),
        (marked(nodeid="tests/deploy/test_files.py::test"), True, False),
        (marked(DB, nodeid="tests/flows/test_commands.py::test"), False, False),
    ],
)
def test_what_passes_much_goes_first_and_counts_for_nothing(
    item: Any, *, is_long: bool, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EPMM_DATABASE_URL", raising=False)

    assert (plan.is_long(item), plan.counts(item)) == (is_long, counts)


def test_on_postgresql_only_what_runs_there_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPMM_DATABASE_URL", "postgresql://epmm@127.0.0.1/postgres")

    assert plan.counts(marked(DB, nodeid=PAGE))
    assert not plan.counts(marked(DB))
