from collections.abc import Iterator

import pytest

from epmm import settings_store


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    """A process remembers settings for a second; no test may inherit them."""
    settings_store.clear_cache()
    yield
    settings_store.clear_cache()
