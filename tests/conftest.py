"""What every test may rely on: the services it asks for are there, or it says what is missing."""

import os
import sys

import pytest

from tests import services
from users.services import lock_out


@pytest.fixture(autouse=True)
def untrimmed_lock_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's sequences outlive a test: whether a test's row is the hundredth depends on those before it."""
    monkeypatch.setattr(lock_out, "TRIM_EVERY", sys.maxsize)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`./test --services` runs the suite once for each database: what one of the runs need not do is left out there."""
    if os.environ.get("EPMM_TEST_SERVICES") == "required":
        left_out = [item for item in items if not belongs_here(item)]
        items[:] = [item for item in items if belongs_here(item)]
        config.hook.pytest_deselected(items=left_out)


def belongs_here(item: pytest.Item) -> bool:
    names = services_of(item)
    if made_for := names & {"postgresql", "sqlite"}:
        return not any(map(services.missing, made_for))
    return not services.missing("sqlite") or "database" in names or uses_database(item)


def uses_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in sorted(services_of(item)):
        if lacking := services.missing(name):
            if services.required(name):
                pytest.fail(f"{name}: {lacking}", pytrace=False)
            pytest.skip(f"{name}: {lacking}; see ./test --services")


def services_of(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("service") for name in mark.args}
