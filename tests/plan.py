"""Which tests run on which database, which go first, and whose lines count as covered.

On both databases (`./test --services`): whatever uses one, for its statements, constraints, locks, order and search may
differ there; and what carries `service("database")`, which gives the database to processes of its own.  On SQLite
alone: what uses none; and what is marked `once`, to which a database is the place where its rows lie, while others send
its statements to both.  Such are the walk of all roles to all addresses, and pages looked at in a browser:
`test_budget.py` opens each page on both databases, and `test_story.py` goes through the portal.  `service("sqlite")`
and `service("postgresql")` are for one alone.

Long ones go first, lest the other workers wait for them in the end: whatever starts browsers or processes, and what is
marked `long`.  They and those marked `once` pass much on their way, which proves little about it: the lines that they
pass do not count.
"""

import os
from typing import Final

import pytest
from coverage import Coverage

from tests import services

START_PROCESSES: Final = ("tests/bench/", "tests/deploy/")


def services_of(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("service") for name in mark.args}


def uses_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


def belongs_here(item: pytest.Item) -> bool:
    names = services_of(item)
    if made_for := names & {"postgresql", "sqlite"}:
        return not any(map(services.missing, made_for))
    if not services.missing("sqlite"):
        return True
    return "database" in names or (uses_database(item) and item.get_closest_marker("once") is None)


def is_long(item: pytest.Item) -> bool:
    starts_some = item.nodeid.startswith(START_PROCESSES) or services_of(item) & {"chromium", "database"}
    return bool(starts_some) or item.get_closest_marker("long") is not None


def counts(item: pytest.Item) -> bool:
    return not is_long(item) and item.get_closest_marker("once") is None


class Counting:
    """Coverage where tests run, and nowhere else: it doubles the time of what it looks at."""

    def __init__(self) -> None:
        self._coverage = Coverage.current()
        self._goes_on = self._coverage is not None
        if "PYTEST_XDIST_WORKER" in os.environ:
            os.environ.pop(services.COUNT_LINES, None)  # not in processes that tests start
        else:
            self.turn(on=False)  # those who count are started yet

    def turn(self, *, on: bool) -> None:
        if self._coverage is not None and on != self._goes_on:
            (self._coverage.start if on else self._coverage.stop)()
            self._goes_on = on
