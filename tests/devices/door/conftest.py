import asyncio
from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from devices.door.app import Door
from devices.door.store import stores_for
from devices.models import Device
from epmm.batching import BatchingStore
from tests.devices.declarations.rows import iphone
from tests.devices.declarations.test_sets import give, put
from tests.devices.door.fakes import PROXY, Batches, FakeDevice, RecordingHandlers, Site


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=[True, False], ids=["directly", "by ASGI"])
def site(
    request: pytest.FixtureRequest, transactional_db: None, settings: Settings, runner: asyncio.Runner
) -> Iterator[Site]:
    """A door on the test database, whichever that is, behind a proxy that it trusts."""
    settings.TRUSTED_PROXIES = [PROXY]
    handlers = RecordingHandlers()
    door = Door(handlers=handlers, stores=stores_for(connection.settings_dict))
    runner.run(door.open())
    yield Site(runner, door, handlers, is_direct=request.param)
    runner.run(door.close())


@pytest.fixture
def device(site: Site) -> FakeDevice:
    return FakeDevice.enrolled(site)


@pytest.fixture
def store(transactional_db: None) -> Iterator[Batches]:
    store = stores_for(connection.settings_dict).connects
    assert isinstance(store, BatchingStore)
    with Batches(store) as batches:
        yield batches


@pytest.fixture
def record(transactional_db: None) -> Device:
    """It holds what it should."""
    device = iphone()
    put()
    give(device)
    return device
