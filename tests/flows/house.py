"""The whole product in this process: both doors on the test database, and a worker that works when it is told to."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from typing import Any, Final

import httpx2
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone, translation

from devices.models import Command, Device, Enrollment
from devices.services import history
from enrollment.services import authorities, registration
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.network import Network
from epmm import jobs, rate_limit, settings_store
from epmm.asgi import application
from epmm.celery import app as worker
from epmm.models import Job
from epmm.tasks import run_job
from tests import pki
from users.models import Role, User
from users.services import people

HOST: Final = "mdm.example.test"
PORT: Final = 8443
PASSWORD: Final = "correct horse battery"
FAMILIES: Final = (Family.IPHONE, Family.IPAD, Family.MAC)
_keys: Final = cycle(range(100, 104))  # making keys would be most of the time that these tests take


def next_key() -> rsa.RSAPrivateKey:
    return pki.rsa_key(number=next(_keys))


class InProcess(httpx2.BaseTransport):
    """Carries requests to the ASGI application; the event loop turns while somebody asks."""

    def __init__(self, runner: asyncio.Runner, address: str) -> None:
        self._runner = runner
        self._transport = httpx2.ASGITransport(app=application, client=(address, 50_000))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._runner.run(self._answer(request))

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._transport.handle_async_request(request)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


class House:
    def __init__(self, runner: asyncio.Runner, address: str = "192.0.2.7") -> None:
        self.runner = runner
        self.transport: httpx2.BaseTransport = InProcess(runner, address)
        authorities.scep_ra()
        authorities.profile_signer()
        be_a_worker()

    def at(self, address: str) -> "House":
        """The same house, for those who come from another address."""
        return House(self.runner, address)

    def device(
        self,
        family: Family = Family.IPHONE,
        identifier: str = f"anna@{HOST}",
        *,
        transport: httpx2.BaseTransport | None = None,
        **options: Any,
    ) -> SimulatedDevice:
        ready: dict[str, Any] = {"hardware": Hardware.new(family), "ports": {HOST: PORT}, "new_key": next_key}
        network = Network(transport=transport or self.transport)
        return SimulatedDevice(identifier, network=network, **(ready | options))

    def enrolled(self, family: Family = Family.IPHONE, identifier: str = f"anna@{HOST}") -> SimulatedDevice:
        device = self.device(family, identifier)
        device.enroll(password=PASSWORD)
        return device

    @staticmethod
    def work() -> None:
        """What a worker does until nothing is due: outboxes, then jobs."""
        for kind, waiting in jobs.OUTBOXES.items():
            while waiting():
                jobs.run(kind, {})
        for job in Job.objects.due(timezone.now()):
            run_job(job.pk)
        assert not Job.objects.filter(done_at=None, attempts__gt=0).exists(), "a job failed"


@cache
def be_a_worker() -> None:
    """All tasks are known.  Each time Celery is asked for them, Django looks at all models, too."""
    worker.loader.import_default_modules()


@contextmanager
def opened() -> Iterator[House]:
    """A house that remembers nothing from before; the enrollment of devices is switched on."""
    settings_store.clear_cache()
    rate_limit.forget()
    with asyncio.Runner() as runner, translation.override("en"):
        runner.run(application.open())
        switch("ios.mdm.account_driven_device_enrollment", "on")
        yield House(runner)
        runner.run(application.close())
    settings_store.clear_cache()


def person(user_id: str = "anna", *, roles: tuple[str, ...] = (Role.ADDE,), **changes: Any) -> User:
    values: dict[str, Any] = {"managed_apple_account": f"{user_id}@{HOST}", "password": PASSWORD}
    return people.create(people.NewPerson(user_id=user_id, roles=roles, **{**values, **changes}), actor="test")


def switch(name: str, value: str) -> None:
    settings_store.change(name, value, actor="test")


def credentials(requirement: str, user: User) -> dict[str, Any]:
    """What the person types, when this is asked for; a PIN is issued for the occasion."""
    typed: dict[str, Any] = {}
    if "password" in requirement:
        typed["password"] = PASSWORD
    if "pin" in requirement:
        typed["pin"] = registration.issue_pin(user, actor="test")
    return typed


def enrollment_of(device: SimulatedDevice) -> Enrollment:
    """The one that its certificate belongs to."""
    assert device.identity is not None
    return Enrollment.objects.get(identities__serial_number=f"{device.identity.certificate.serial_number:x}")


def record_of(device: SimulatedDevice) -> Device:
    record = enrollment_of(device).device
    assert record is not None
    return record


def states(device: SimulatedDevice, user_key: str = "") -> list[tuple[str, Command.State]]:
    channel = enrollment_of(device).channels.get(user_key=user_key)
    return [(row.request_type, Command.State(row.state)) for row in reversed(history.of_channels([channel.pk], 100))]
