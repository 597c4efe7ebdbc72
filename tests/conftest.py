"""What every test may rely on: services are there or said to be missing, and the data directory goes at the end."""

import os
import shutil
from pathlib import Path

import pytest

from tests import services

DATABASES = {"postgresql", "sqlite"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`./test --services` runs the suite on both databases: a test made for one is left to that run."""
    for item in list(items):
        if any(services.required(name) and services.missing(name) for name in services_of(item) & DATABASES):
            items.remove(item)
            config.hook.pytest_deselected(items=[item])


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in sorted(services_of(item)):
        if lacking := services.missing(name):
            if services.required(name):
                pytest.fail(f"{name}: {lacking}", pytrace=False)
            pytest.skip(f"{name}: {lacking}; see ./test --services")


def services_of(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("service") for name in mark.args}


def pytest_unconfigure(config: pytest.Config) -> None:
    """The data directory that tests/settings.py made; xdist's workers share their controller's."""
    directory = Path(os.environ.get("EPMM_DATA_DIR", ""))
    if directory.name.startswith("epmm-tests-") and not hasattr(config, "workerinput"):
        shutil.rmtree(directory, ignore_errors=True)
