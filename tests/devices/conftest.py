from collections.abc import Iterator
from math import inf

import pytest

from epmm import settings_store


@pytest.fixture(autouse=True)
def _settings_are_read() -> Iterator[None]:
    """As each process does once a second: no count of statements depends on which test that second falls into."""
    cache = settings_store._cache
    cache._rows, cache._until = {}, inf  # until one is changed
    yield
    cache.clear()
