"""The product with something in it that is worth an attack, and what must hold whatever is sent to it."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.test import override_settings

from devices.models import Channel, Command, Device, Enrollment, Result
from devices.models import Identity as IdentityRow
from enrollment.models import Attempt, AttemptStep
from enrollment.services import trace
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.identity import Identity
from enrollment.simulator.page import CALLBACK_SCHEME
from enrollment.simulator.web_sheet import WebSheet, with_identifier
from epmm import rate_limit
from epmm.asgi import application
from tests.flows import rows
from tests.flows.house import House, credentials, person, switch

Headers = Sequence[tuple[bytes, bytes]]

STRANGER: Final = "192.0.2.66"
PROXY: Final = "192.0.2.1"
LARGEST_ANSWER: Final = 65_536
LONGEST_SECONDS: Final = 5.0  # a thousand times what an answer takes
# What strangers may leave behind, each bounded in number; and whoever has signed in accepts texts.
LEFT_BEHIND: Final = {"Attempt", "SignInBudget", "SignInFailures", "AuditEntry", "Acceptance"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: bytes = b""
    headers: Headers = ()
    body: bytes = b""
    address: str = STRANGER

    def scope(self) -> dict[str, Any]:
        own = [(b"host", b"mdm.example.test:8443"), (b"content-length", str(len(self.body)).encode())]
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "https",
            "path": self.path,
            "raw_path": self.path.encode("utf-8", "replace"),
            "query_string": self.query,
            "root_path": "",
            "headers": [*own, *self.headers],
            "client": (self.address, 50_000),
            "server": ("mdm.example.test", 8443),
        }


@dataclass(slots=True, kw_only=True)
class Reply:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0  # of the processor


class Target:
    def __init__(self, house: House) -> None:
        self._runner = house.runner
        anna, _bob = person("anna"), person("bob")
        self.device = house.enrolled(Family.MAC)
        self.victim = house.enrolled(identifier="bob@mdm.example.test")
        self.commands = [str(Command.objects.filter(channel__user_key="").latest("pk").uuid).upper()]
        self.commands.append(str(Command.objects.earliest("pk").uuid).upper())
        switch("registration.requirement", "password_and_pin")
        switch("registration.privacy_page", "on")
        switch("registration.terms", "on")
        switch("ios.mdm.account_driven_user_enrollment", "on")
        self.visitor = house.device()
        self.visitor.discover()
        self.ticket = _ticket(self.visitor, credentials("password_and_pin", anna))
        self._theirs = self._rows_of(self.victim)
        self.take_stock()

    def take_stock(self) -> None:
        self._stock = rows.rows(ignored=LEFT_BEHIND)

    @property
    def identity(self) -> Identity:
        assert self.device.identity is not None
        return self.device.identity

    def send(self, request: Request) -> Reply:
        """The answer, once it has been looked at."""
        rate_limit.forget()
        reply = self._runner.run(_send(request))
        assert reply.status < 500, f"{reply.status} for {request.method} {request.path}"
        assert reply.seconds < LONGEST_SECONDS
        assert len(reply.body) <= LARGEST_ANSWER
        assert "set-cookie" not in reply.headers
        assert reply.headers.get("location", CALLBACK_SCHEME).startswith(CALLBACK_SCHEME)
        if reply.status == 401:
            assert request.path.startswith("/enroll/"), "only the enrollment request is challenged"
            assert reply.headers["www-authenticate"].startswith('Bearer method="apple-as-web", url="https://')
        return reply

    def assert_untouched(self) -> None:
        """Strangers leave a trace, and a trace has an end."""
        assert rows.changed(self._stock, rows.rows(ignored=LEFT_BEHIND)) == set()
        assert Attempt.objects.filter(user=None).count() <= trace.PER_NETWORK_AND_HOUR
        assert AttemptStep.objects.count() <= Attempt.objects.count() * trace.STEPS_AT_MOST

    def assert_victim_untouched(self) -> None:
        assert self._rows_of(self.victim) == self._theirs

    def revive(self) -> None:
        """A message may have ended the enrollment of the device that sends them."""
        Enrollment.objects.filter(udid=self.device.hardware.udid).update(state=Enrollment.State.ACTIVE)
        identities = IdentityRow.objects.filter(enrollment__udid=self.device.hardware.udid)
        identities.update(state=IdentityRow.State.CURRENT)

    @staticmethod
    def _rows_of(device: SimulatedDevice) -> list[Any]:
        enrollment = Enrollment.objects.filter(udid=device.hardware.udid)
        return [
            list(query.order_by("pk").values())
            for query in (
                enrollment,
                IdentityRow.objects.filter(enrollment__in=enrollment),
                Channel.objects.filter(enrollment__in=enrollment),
                Command.objects.filter(channel__enrollment__in=enrollment),
                Result.objects.filter(channel__enrollment__in=enrollment),
                Device.objects.filter(udid=device.hardware.udid),
            )
        ]


@contextmanager
def made_in(house: House) -> Iterator[Target]:
    with override_settings(TRUSTED_PROXIES=[PROXY]):
        yield Target(house)


def _ticket(visitor: SimulatedDevice, typed: dict[str, str]) -> str:
    """What the form of somebody who has signed in carries, with two texts still to accept."""
    sheet = WebSheet(visitor.network.browser(), visitor.hardware)
    sheet.open(with_identifier(visitor.request_challenge(), visitor.identifier))
    assert sheet.page is not None
    sheet.submit(sheet.page.forms[0], {"user_id": "anna", **typed})
    return dict(sheet.page.forms[0].hidden)["ticket"]


async def _send(request: Request) -> Reply:
    reply = Reply()
    waiting = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            reply.body += message.get("body", b"")

    began = time.process_time()
    await application(request.scope(), receive, send)
    reply.seconds = time.process_time() - began
    return reply
