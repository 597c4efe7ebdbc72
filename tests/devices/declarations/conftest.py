"""What several stories about declarations begin with."""

import pytest

from devices.models import Device
from devices.services import declaration_status
from tests.devices.declarations.rows import (
    iphone,
    switch_on,
)
from tests.devices.services.rows import channel_of, device_of, enrolled


@pytest.fixture
def phone() -> Device:
    return iphone()


@pytest.fixture
def mac() -> Device:
    enrollment = enrolled(platform=Device.Platform.MACOS, os_version="15.2", os_version_number=15_002_000)
    channel_of(enrollment, "user")
    switch_on(enrollment)
    return device_of(enrollment)


@pytest.fixture(autouse=True)
def _no_failures_of_other_tests() -> None:
    declaration_status.OUTBOX.forget()
