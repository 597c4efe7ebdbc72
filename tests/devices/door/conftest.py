import asyncio
from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from devices.door.app import Door
from devices.door.store import store_for
from epmm.batching import BatchingStore
from tests.devices.door.fakes import PROXY, DoorStore, FakeDevice, RecordingHandlers, Site


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def site(transactional_db: None, settings: Settings, runner: asyncio.Runner) -> Iterator[Site]:
    """A door on the test database, whichever that is, behind a proxy that it trusts."""
    settings.TRUSTED_PROXIES = [PROXY]
    handlers = RecordingHandlers()
    door = Door(handlers=handlers, store=store_for(connection.settings_dict))
    runner.run(door.open())
    yield Site(runner, door, handlers)
    runner.run(door.close())


@pytest.fixture
def device(site: Site) -> FakeDevice:
    return FakeDevice.enrolled(site)


@pytest.fixture
def store(transactional_db: None) -> Iterator[DoorStore]:
    """Without its thread: what it does is asked for here."""
    store = store_for(connection.settings_dict)
    assert isinstance(store, BatchingStore)
    yield store
    store._disconnect()
