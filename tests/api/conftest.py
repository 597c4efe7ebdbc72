"""Callers of the API: scripts with a password or a token."""

import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from devices.models import Device
from tests.factories import PASSWORD
from tests.factories import user as make_user
from users.models import AdminRole, User
from users.services import administrators

BASE = "/api/v2/"


def make_caller(name: str = "script", roles: Iterable[str] = tuple(AdminRole.values), **columns: Any) -> User:
    person = make_user(name, **columns)
    administrators.set_roles(person, roles, actor="test")
    return person


def basic(name: str, password: str = PASSWORD) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


class Script:
    """Calls as clients do, and reads JSON."""

    def __init__(self, authorization: str | None, *, base: str = BASE) -> None:
        self._headers = {"Authorization": authorization} if authorization else {}
        self._base = base
        self.client = Client(headers={"host": "localhost"})

    def ask(self, method: str, where: str, body: Any = None, **headers: str) -> Any:
        address = where if where.startswith("/") else self._base + where
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        content_type = headers.pop("content_type", "application/json")
        return self.client.generic(method, address, raw, content_type, secure=True, headers=self._headers | headers)

    def get(self, where: str, **headers: str) -> Any:
        """What a call that succeeds answers."""
        response = self.ask("GET", where, **headers)
        assert response.status_code == 200, response.content
        return response.json()


@pytest.fixture
def script(transactional_db: None) -> Script:
    """An administrator with all roles."""
    make_caller()
    return Script(basic("script"))


@pytest.fixture
def devices(script: Script) -> list[Device]:
    anna = User.objects.create(user_id="anna", first_name="Anna", last_name="Ito", email="anna@corp.example")
    common = {"user": anna, "mdm_managed": True, "platform": "iOS", "os_version": "18.2", "os_version_number": 18002000}
    return [
        Device.objects.create(
            uuid=UUID("9b0da853-0000-0000-0000-f4b5457299cf"), status="ACTIVE", serial_number="AAAA1111BBBB",
            device_name="Anna's iPhone", product_name="iPhone15,4", wifi_mac="F4B5457299CF", battery_level=0.57,
            ip_address="10.0.0.7", udid="UDID-1",
            registered_at=datetime(2020, 11, 9, 7, 38, 22, 5000, UTC), phone_number="+49151", **common
        ),
        Device.objects.create(status="ACTIVE", serial_number="CCCC2222DDDD", owner="EMPLOYEE", udid="UDID-2", **common),
        Device.objects.create(status="RETIRED", serial_number="EEEE3333FFFF", device_name="samsung", **common),
    ]  # fmt: skip
