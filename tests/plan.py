"""Which tests run on which database, which go first, and whose lines count as covered.

On both databases (`./test --services`): whatever uses one, for its statements, constraints, locks, order and search may
differ there; and what carries `service("database")`, which gives the database to processes of its own, or opens all
pages on it.  On SQLite alone: what uses none; and what is marked `once`, to which a database is the place where its
rows lie, while others send its statements to both.  Such are the walk of all roles to all addresses, and pages looked
at in a browser.  On PostgreSQL alone, which takes less: what a page does with what was typed there, for the services
that it asks are tested on both.  `test_budget.py` opens each page of the portal on both databases, and `test_story.py`
goes through it.  `service("sqlite")` and `service("postgresql")` are for one alone.

Long ones go first, lest the other workers wait for them in the end: whatever starts browsers or processes, and what is
marked `long`.  They, those marked `once` and whole flows pass much on their way, which proves little about it: lines
that they pass do not count.  Nor does any test count twice.
"""

import os
from typing import Final

import pytest
from coverage import Coverage

from tests import services

START_PROCESSES: Final = ("tests/bench/", "tests/deploy/")
PAGES: Final = ("tests/portal/", "tests/self/")
FLOWS: Final = "tests/flows/"


def services_of(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("service") for name in mark.args}


def uses_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


def belongs_here(item: pytest.Item) -> bool:
    names, on_sqlite = services_of(item), not services.missing("sqlite")
    if made_for := names & {"postgresql", "sqlite"}:
        return not any(map(services.missing, made_for))
    if "database" in names:
        return True
    if not uses_database(item) or item.get_closest_marker("once") is not None:
        return on_sqlite
    return not (on_sqlite and item.nodeid.startswith(PAGES))


def is_long(item: pytest.Item) -> bool:
    starts_some = item.nodeid.startswith(START_PROCESSES) or services_of(item) & {"chromium", "database"}
    return bool(starts_some) or item.get_closest_marker("long") is not None


def counts(item: pytest.Item) -> bool:
    if is_long(item) or item.get_closest_marker("once") is not None or item.nodeid.startswith(FLOWS):
        return False
    return item.nodeid.startswith(PAGES) or not services.missing("sqlite")


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
