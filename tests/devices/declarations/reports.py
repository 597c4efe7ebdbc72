"""Reports that wait, of one device or of many, and how far the worker has come with them."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from devices.models import Device, StatusReport
from devices.services import declaration_status
from tests.devices.declarations.rows import (
    channel,
    iphone,
)


def system(version: str) -> dict[str, Any]:
    return {"device": {"operating-system": {"version": version}}}


def fleet(size: int, name: str = "phone") -> list[Device]:
    return [iphone(udid=f"{name} {number}", device_name=f"{name} {number}") for number in range(size)]


def versions(devices: Sequence[Device]) -> list[str]:
    return [Device.objects.get(pk=device.pk).os_version for device in devices]


def many_of(device: Device, number: int) -> None:
    """More than are let in, as before there was a limit."""
    body = json.dumps({"StatusItems": system("18.3")}).encode()
    StatusReport.objects.bulk_create([StatusReport(channel=channel(device), body=body) for _ in range(number)])


def read_all() -> list[int]:
    """How many each time."""
    counts = []
    while done := declaration_status.read_reports():
        counts.append(done)
    return counts


def without_an_outbox(device: Device) -> None:
    """What the release before writes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO devices_statusreport (channel_id, body, received_at) VALUES (%s, %s, %s)",
            [channel(device).pk, b"{}", timezone.now()],
        )


def in_a_thread(work: Callable[[], int]) -> int:
    try:
        return work()
    finally:
        connection.close()
