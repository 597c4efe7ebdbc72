"""The recipes of docs/api.md about devices, carried out line by line."""

from base64 import b64encode

import pytest

from devices.models import (
    ActionRun,
    Broadcast,
    Command,
    Configuration,
    ConfigurationAssignment,
    Device,
)
from devices.services import action_runs, broadcast, seeding
from tests.api.conftest import Script
from tests.api.x.test_recipes import RECIPES, Shell
from tests.devices.configuration.profiles import profile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def phone(script: Script) -> Device:
    seeding.seed(devices=40, users=5)
    Command.objects.all().delete()
    found = Device.objects.filter(status="ACTIVE", platform="iOS", enrollment_type="adde").order_by("pk").first()
    assert found is not None
    Device.objects.filter(pk=found.pk).update(serial_number="F2LXK0ABCD")
    return found


@pytest.fixture
def shell(script: Script, phone: Device) -> Shell:
    return Shell(script)


def test_6_all_devices_are_taken_out(shell: Shell) -> None:
    shell.run(RECIPES["6"])


def test_7_a_device_is_locked(shell: Shell, phone: Device) -> None:
    shell.run(RECIPES["7"])
    shell.run(RECIPES["7"])  # as often as one likes

    assert shell.printed == [str(phone.uuid), "Queued"] * 2
    assert [each.request_type for each in Command.objects.all()] == ["DeviceLock"]


def test_8_a_device_is_asked(shell: Shell) -> None:
    shell.run(RECIPES["8"])

    assert shell.printed[-1] == "queued"


def test_9_many_are_asked_and_called_back(shell: Shell) -> None:
    shell.run(RECIPES["9"])

    row = Broadcast.objects.get()
    assert row.cancelled_at is not None
    broadcast.work(row.pk)
    assert not Command.objects.exists()


def test_10_a_configuration_goes_to_a_label(shell: Shell) -> None:
    shell.variables["PROFILE"] = b64encode(profile()).decode()
    shell.run(RECIPES["10"])

    assigned = ConfigurationAssignment.objects.get()
    assert assigned.label is not None
    assert (assigned.label.name, assigned.configuration) == ("Pilot phones", Configuration.objects.get())


def test_11_what_is_lost_is_erased(shell: Shell, phone: Device) -> None:
    Device.objects.filter(status="LOST").update(status="ACTIVE")
    Device.objects.filter(pk=phone.pk).update(status="LOST")
    shell.run(RECIPES["11"])

    assert shell.printed[-1] == "running"
    action_runs.work(ActionRun.objects.get().pk)
    assert [each.request_type for each in Command.objects.all()] == ["EraseDevice"]
