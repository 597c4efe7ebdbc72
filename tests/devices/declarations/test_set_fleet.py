"""Declarations of many devices: in pieces, shared, and forgotten."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import (
    Channel,
    Declaration,
    DeclarationContent,
    Device,
    Manifest,
)
from devices.services import declaration_sets, declarations, declarative
from devices.services.declaring import Wanted, wanted
from epmm import settings_store
from epmm.models import Job
from tests.devices.declarations.rows import (
    announcements,
    answer_commands,
    channel,
    iphone,
    set_of,
    synchronize,
    work,
)
from tests.devices.declarations.test_sets import OWN, give, put

pytestmark = pytest.mark.django_db


def fleet(size: int) -> list[Device]:
    return [iphone(udid=f"phone {number}", device_name=f"phone {number}") for number in range(size)]


def test_a_change_reaches_many_devices_in_pieces_and_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declarations, "CHUNK", 2)
    devices = fleet(5)
    put()
    declarations.assign("passcode", devices, actor="anna")
    work()
    answer_commands()
    row = put(payload={"MinimumLength": 7})

    declarations.spread_change(row.pk)
    declarations.spread_change(row.pk)  # the worker was killed before it could say that it was done

    assert [len(announcements(device)) for device in devices] == [1, 1, 0, 0, 0]
    assert Job.objects.open().filter(kind=declarations.CHANGED, arguments__after__gt=0).count() == 1
    work()
    assert [len(announcements(device)) for device in devices] == [1] * 5

    declarations.remove("passcode", actor="anna")
    work()
    assert not Declaration.objects.exists()


def test_every_channel_is_looked_at_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declarations, "CHUNK", 2)
    devices = fleet(3)
    Device.objects.update(os_version="15.1")

    declarations.refresh_all()
    work()

    assert [len(announcements(device)) for device in devices] == [1] * 3
    names = {item["Name"] for item in synchronize(channel(devices[0]))["epmm.status"]["Payload"]["StatusItems"]}
    assert "softwareupdate.install-state" not in names


def test_devices_that_hold_the_same_share_it() -> None:
    fleet(3)

    assert Manifest.objects.count() == 1
    assert DeclarationContent.objects.count() == len(OWN)


def test_what_nobody_has_held_for_a_month_is_forgotten(phone: Device) -> None:
    put()
    give(phone)
    old = Manifest.objects.exclude(pk=set_of(phone).token).get()
    long_ago = timezone.now() - declaration_sets.KEPT - timedelta(days=1)
    Manifest.objects.update(used_at=long_ago)
    DeclarationContent.objects.update(used_at=long_ago)
    assert set_of(phone).served_token == old.pk

    declarations.refresh_all()  # the phone was told of neither yet: both may still be asked for

    assert Manifest.objects.count() == 2
    synchronize(channel(phone))
    Manifest.objects.update(used_at=long_ago)
    DeclarationContent.objects.update(used_at=long_ago)
    DeclarationContent.objects.create(server_token="nobody's", body=b"", used_at=long_ago)
    declarations.refresh_all()
    assert [row.pk for row in Manifest.objects.all()] == [set_of(phone).token]
    assert DeclarationContent.objects.count() == len(OWN) + 2


def statements(devices: list[Device]) -> int:
    channels = [channel(device).pk for device in devices]
    settings_store.clear_cache()
    with CaptureQueriesContext(connection) as captured:
        declaration_sets.refresh(channels, announce=True)
    return len(captured)


def test_looking_at_many_channels_costs_what_few_do() -> None:
    few = statements(fleet(2))

    assert statements([iphone(udid=f"more {number}") for number in range(12)]) == few <= 14


def test_telling_many_costs_what_telling_few_does() -> None:
    def cost(size: int) -> int:
        devices = [iphone(udid=f"{size} {number}") for number in range(size)]
        declarations.assign("passcode", devices, actor="anna")
        told = statements(devices)
        assert [len(announcements(device)) for device in devices] == [1] * size
        return told

    put()
    cost(2)

    assert {cost(3), cost(12)} <= {15, 16}  # what is told names the second, and is written once for each


def test_a_declaration_is_rendered_once_for_a_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []

    def noting(channel: Channel, *arguments: Any, **options: Any) -> Wanted:
        rendered.append(channel.pk)
        return wanted(channel, *arguments, **options)

    put()
    devices = fleet(4)
    other = iphone(udid="other", os_version="17.1", os_version_number=17_001_000)
    declarations.assign("passcode", devices[1:], actor="anna")
    monkeypatch.setattr("devices.services.declaration_sets.wanted", noting)

    work()
    declaration_sets.refresh([channel(device).pk for device in (*devices, other)], announce=True)

    assert rendered == [channel(device).pk for device in (devices[1], devices[1], devices[0], devices[1], other)]
    assert len({set_of(device).token for device in devices[1:]}) == 1
    assert len({set_of(device).token for device in (devices[0], devices[1], other)}) == 3


def test_a_sync_of_one_device_costs_few_statements(phone: Device) -> None:
    put()
    give(phone)
    asked = channel(phone)
    declarative.tokens(asked)  # the settings are read once

    with CaptureQueriesContext(connection) as tokens:
        declarative.tokens(asked)
    with CaptureQueriesContext(connection) as manifest:
        declarative.manifest(asked)

    assert (len(tokens), len(manifest)) == (10, 5)
