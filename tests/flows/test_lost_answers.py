"""The server acted and its answer got lost: the device does the same again, it goes through, and nothing changes."""

from collections import Counter

import httpx2
import pytest

from devices.models import Command, Device, Enrollment, Identity
from enrollment.models import AccessToken
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from tests.flows.house import House, credentials, enrollment_of, record_of, states, switch
from tests.flows.persistence import enroll, essence, persistently
from tests.flows.rows import Rows, changed, rows
from users.models import User


class Forgetful(httpx2.BaseTransport):
    """Loses the first answers to every request, and sees that the repetitions change nothing."""

    def __init__(self, inner: httpx2.BaseTransport, losses: int) -> None:
        self.inner = inner
        self.losses = losses
        self.seen: Counter[str] = Counter()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        name = essence(request)
        before: Rows | None = rows() if self.seen[name] else None
        response = self.inner.handle_request(request)
        if before is not None:
            assert changed(before, rows()) == set(), f"{name}, repeated, changed something"
        self.seen[name] += 1
        if self.seen[name] <= self.losses:
            raise httpx2.ReadError("the answer got lost")
        return response


@pytest.mark.parametrize(
    ("family", "requirement", "losses"),
    [
        (Family.IPHONE, "password", 1),
        (Family.IPHONE, "pin", 2),
        (Family.IPAD, "pin", 1),
        (Family.IPAD, "password", 2),
        (Family.MAC, "password", 1),
        (Family.MAC, "pin", 2),
    ],
)
def test_every_answer_gets_lost(house: House, anna: User, family: Family, requirement: str, losses: int) -> None:
    switch("registration.requirement", requirement)
    transport = Forgetful(house.transport, losses)
    device = house.device(family, transport=transport)

    enroll(device, credentials(requirement, anna))
    persistently(device.connect)
    if family.is_mac:
        assert persistently(lambda: device.connect(Channel.USER)) == []

    assert [state for _, state in states(device)] == [Command.State.ACKNOWLEDGED] * 5
    assert len(transport.seen) == (19 if family.is_mac else 16)
    assert min(transport.seen.values()) > losses
    house.work()
    record = record_of(device)
    assert (record.status, record.serial_number) == (Device.Status.ACTIVE, device.hardware.serial)
    assert record.inventory_at is not None
    assert (Device.objects.count(), Enrollment.objects.count(), Identity.objects.count()) == (1, 1, 1)
    assert AccessToken.objects.exclude(enrollment=None).count() == 1

    persistently(device.check_out)
    house.work()
    record.refresh_from_db()
    assert record.status == Device.Status.RETIRED
    assert enrollment_of(device).state == Enrollment.State.ENDED

    device.network = house.device().network
    device.enroll(**credentials(requirement, anna))
    record.refresh_from_db()
    assert record.status == Device.Status.ACTIVE
