import asyncio
from collections.abc import Iterator

import pytest
from django.utils import translation

from epmm import rate_limit, settings_store
from epmm.asgi import application
from tests.flows.house import House, person, switch
from users.models import User


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    """Open, with nothing remembered from the test before; the enrollment of devices is switched on."""
    settings_store.clear_cache()
    rate_limit.forget()
    with asyncio.Runner() as runner, translation.override("en"):
        runner.run(application.open())
        switch("ios.mdm.account_driven_device_enrollment", "on")
        yield House(runner)
        runner.run(application.close())
    settings_store.clear_cache()


@pytest.fixture
def anna(house: House) -> User:
    return person()
