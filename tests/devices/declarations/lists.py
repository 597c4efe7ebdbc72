"""Lists as devices report them, and the tables of what is on a device."""

import base64
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from devices.models import Device, InstalledApplication, InstalledCertificate, ManagedApplication, Result
from devices.services import results
from tests.devices.declarations.rows import channel
from tests.devices.services.rows import answered, command

NOT_AFTER = datetime(2027, 1, 1, tzinfo=UTC)
PAGES, READER = "com.apple.Pages", "org.example.reader"


def mdm(*entries: Any) -> dict[str, Any]:
    return {"mdm": {"app": list(entries)}}


def declared(*entries: Any) -> dict[str, Any]:
    return {"app": {"managed": {"list": list(entries)}}}


def held(*entries: Any) -> dict[str, Any]:
    return {"security": {"certificate": {"list": list(entries)}}}


def app(identifier: str, state: str = "managed", **keys: Any) -> dict[str, Any]:
    """As Apple's schema of both lists has it."""
    return {"identifier": identifier, "name": "An app", "version": "7", "short-version": "1.2", "state": state, **keys}


def cert(identifier: str, der: bytes, *, is_identity: bool = False) -> dict[str, Any]:
    data = base64.b64encode(der).decode()
    return {"identifier": identifier, "subject-summary": "test", "is-identity": is_identity, "data": data}


def gone(identifier: str) -> dict[str, Any]:
    return {"identifier": identifier, "_removed": True}


def answer(device: Device, request_type: str, *, at: datetime | None = None, is_read: bool = True, **keys: Any) -> None:
    """The worker reads it at once, unless it is to wait."""
    result = answered(command(channel(device), request_type), **keys)
    Result.objects.filter(pk=result.pk).update(received_at=at or timezone.now())
    if is_read:
        results.read_results()


def managed(device: Device) -> dict[str, tuple[str, str]]:
    rows = ManagedApplication.objects.filter(device=device)
    return {row.identifier: (row.state, row.rejection) for row in rows}


def versions_on(device: Device) -> dict[str, str]:
    return dict(InstalledApplication.objects.filter(device=device).values_list("identifier", "short_version"))


def certificates_on(device: Device) -> set[bytes]:
    return {bytes(der) for der in InstalledCertificate.objects.filter(device=device).values_list("der", flat=True)}
