"""What every test may rely on: the services it asks for are there, or it says what is missing."""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation
from whitenoise.middleware import WhiteNoiseMiddleware

from devices.search import few, rarest
from devices.services import push_certificates
from epmm import rate_limit, settings_store
from epmm.portal import record_pages
from tests import emptying, migrated, plan, services
from users.api import throttling
from users.services import api_credentials, lock_out

COUNTING = pytest.StashKey[plan.Counting]()


@pytest.fixture(scope="session", autouse=True)
def _emptied() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: emptying.empty())
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The database of each worker is a copy: `migrate` finds nothing left to do."""
    test = connection.settings_dict["TEST"]
    if connection.vendor == "postgresql":
        test["TEMPLATE"] = migrated.postgresql()
    else:
        shutil.copy(migrated.sqlite(), test["NAME"])


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Not to begin with an empty file."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_for_once() -> Iterator[None]:
    """Each of Django's test clients brings middleware of its own, which would go through all folders."""
    found: dict[str, Any] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def add(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add)
        yield


@pytest.fixture(autouse=True)
def settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process does so each second: no test inherits them, and no count tells where in a test such a second ends."""
    settings_store.clear_cache()
    monkeypatch.setattr(settings_store, "CACHE_SECONDS", 600)
    yield
    settings_store.clear_cache()


@pytest.fixture(autouse=True)
def nobody_was_here() -> None:
    """Nothing is remembered from the tests before: no caller, page, count or sample of rows, nor a language."""
    rate_limit.forget()
    few._counted.clear()
    throttling.forget()
    record_pages.forget()
    rarest.forget()
    api_credentials.forget()
    push_certificates.clear_cache()
    translation.deactivate()


@pytest.fixture(autouse=True)
def untrimmed_lock_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's sequences outlive a test: whether a test's row is the hundredth depends on those before it."""
    monkeypatch.setattr(lock_out, "TRIM_EVERY", sys.maxsize)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNTING] = plan.Counting()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`./test --services` runs the suite once for each database: what one of the runs need not do is left out there."""
    items.sort(key=plan.is_long, reverse=True)
    if os.environ.get("EPMM_TEST_SERVICES") == "required":
        left_out = [item for item in items if not plan.belongs_here(item)]
        items[:] = [item for item in items if plan.belongs_here(item)]
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """What is here now stays to the end: looking at all of it again and again for garbage would take long."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.config.stash[COUNTING].turn(on=plan.counts(item))
    for name in sorted(plan.services_of(item)):
        if lacking := services.missing(name):
            if services.required(name):
                pytest.fail(f"{name}: {lacking}", pytrace=False)
            pytest.skip(f"{name}: {lacking}; see ./test --services")
