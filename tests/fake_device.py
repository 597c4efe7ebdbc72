"""A strict device for tests: the simulator on a line into this process, both doors of the product behind it.

    device = fake_device(line, "anna@mdm.example.test", Family.MAC)
    device.enroll(password="...")

A test that uses the `line` fixture (import it, or name it in a conftest) gets `transactional_db` with it: the doors
have threads and connections of their own, and see only what is committed.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Self

import httpx2
import pytest
from django.conf import settings

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.network import Network
from epmm.asgi import Gateway

ADDRESS = "203.0.113.7"


class Line(httpx2.BaseTransport):
    """HTTP without a port.  Requests always arrive; an answer may get lost on its way back."""

    def __init__(self, gateway: Gateway, *, address: str = ADDRESS) -> None:
        self._gateway = gateway
        self._inside = httpx2.ASGITransport(app=gateway, client=(address, 50_000))
        self._runner = asyncio.Runner()
        self._answers_to_lose = 0

    def __enter__(self) -> Self:
        self._runner.run(self._gateway.open())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._gateway.close())
        self._runner.close()

    def lose_answers(self, count: int = 1) -> None:
        """The next requests are carried out, and the device never hears of it."""
        self._answers_to_lose = count

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._runner.run(self._exchange(request))
        if self._answers_to_lose:
            self._answers_to_lose -= 1
            raise httpx2.ReadError("the answer was lost", request=request)
        return answer

    async def _exchange(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._inside.handle_async_request(request)
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        content = b"".join([part async for part in answer.stream])
        return httpx2.Response(answer.status_code, headers=answer.headers, content=content)


@pytest.fixture
def line(transactional_db: None) -> Iterator[Line]:
    with Line(Gateway()) as line:
        yield line


def fake_device(
    line: httpx2.BaseTransport, identifier: str, family: Family = Family.IPHONE, **options: Any
) -> SimulatedDevice:
    """A new device that the person with this identifier holds; `options` are the simulator's."""
    chosen: dict[str, Any] = {
        "hardware": Hardware.new(family),
        "network": Network(transport=line),
        "ports": {settings.PUBLIC_HOST: httpx2.URL(settings.PUBLIC_URL).port or 443},
    }
    return SimulatedDevice(identifier, **(chosen | options))
