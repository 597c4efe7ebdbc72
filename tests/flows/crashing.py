"""An installation in real processes whose gateway and worker get killed, and a device's way to it that does so."""

import contextlib
import hashlib
import json
import os
import plistlib
import random
import signal
import sys
import threading
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

import httpx2

from enrollment.simulator.network import Network
from tests.epmm.processes import ROOT, eventually
from tests.epmm.test_up import HOST, Installation
from tests.flows.persistence import essence

TELLTALE: Final = {"server", "x-powered-by", "via"}
RESULTS: Final = 2  # to kill at
SECONDS: Final = 150  # longer than the lease of a job, which a killed worker may have held
IN_FLIGHT_SECONDS: Final = 0.02  # an exchange takes a few milliseconds

# What the database says in the end; told as JSON, for it may be either database.
LEDGER: Final = """
import hashlib, json
from devices.models import *
# before the archive: the worker moves answers there while this reads
unread = Result.objects.count() + StatusReport.objects.unread().count()
archived = FinishedCommand.objects.order_by("pk")
print(json.dumps({
    "commands": {str(c.uuid).upper(): c.get_state_display() for c in [*Command.objects.all(), *archived]},
    "results": {str(c.uuid).upper(): hashlib.sha256(c.body).hexdigest() for c in archived},
    "unread": unread,
    "synchronizations": archived.filter(request_type="DeclarativeManagement").count(),
    "in_step": DeclarationSet.objects.count() - DeclarationSet.objects.behind().count(),
    "open": Command.objects.count(),
    "devices": list(Device.objects.order_by("pk").values("serial_number", "status", "os_version", "user__user_id")),
    "enrollments": [
        [e.device_key, e.get_state_display(), bytes(e.bearer_sha256).hex(), len(e.unlock_token or b"")]
        for e in Enrollment.objects.order_by("pk")
    ],
    "push": [[c.user_key, bytes(c.push_token).hex()] for c in Channel.objects.order_by("pk")],
}))
"""


class Crashing(Installation):
    def __init__(self, directory: Path, database: str) -> None:
        super().__init__(directory, database)
        self.environment |= {"PYTHONPATH": str(ROOT)}
        self.lines: list[Accounting] = []

    def command(self, *options: str) -> list[str]:
        url = f"--public-url=https://{HOST}:{self.port}"
        return [sys.executable, "-m", "tests.flows.impatient_up", "up", url, *options]

    def ledger(self) -> dict[str, Any]:
        """When the worker has read all that devices answered."""
        told: dict[str, Any] = {}

        def is_read() -> bool:
            told.update(json.loads(self.python(LEDGER)))
            return bool(told["unread"] == 0)

        eventually(is_read, seconds=SECONDS)
        return told

    def kill(self, name: str) -> None:
        """The newest one, unless it is dead already; its successor is waited for."""
        dead = self.children(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(dead[-1], signal.SIGKILL)
        eventually(lambda: len(self.children(name)) > len(dead))

    def close(self) -> None:
        for line in self.lines:
            line.network.close()
        self.stop()


class Moment(Enum):
    IN_FLIGHT = auto()  # whether the server has acted is left to chance
    ANSWERED = auto()  # it has acted, and the device does not hear of it


class Accounting(httpx2.BaseTransport):
    """A device's line, which keeps account of the results that were accepted with a 200."""

    def __init__(self, house: Crashing) -> None:
        self.house = house
        self.network = Network(trust=house.data / "tls" / "ca.pem")
        self.accepted: dict[str, str] = {}
        house.lines.append(self)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self.deliver(request)
        if request.url.path == "/mdm/connect" and response.status_code == httpx2.codes.OK:
            body = request.read()
            if command := plistlib.loads(body).get("CommandUUID"):
                self.accepted[command] = hashlib.sha256(body).hexdigest()
        return response

    def deliver(self, request: httpx2.Request) -> httpx2.Response:
        response = self.network._transport.handle_request(request)
        response.read()
        assert not TELLTALE & set(response.headers), "a server does not say what it is"
        return response


class Deadly(Accounting):
    """Kills the gateway, and often the worker with it, once at each request that changes something."""

    def __init__(self, house: Crashing, moment: Moment) -> None:
        super().__init__(house)
        self.killed_at: list[str] = []
        self.is_calm = False
        self._moment = moment
        self._chance = random.Random(7)

    def deliver(self, request: httpx2.Request) -> httpx2.Response:
        name = essence(request)
        if self.is_calm or name in self.killed_at or not self._changes_something(name):
            return super().deliver(request)
        self.killed_at.append(name)
        if self._moment is Moment.ANSWERED:
            super().deliver(request)
            self._kill()
            raise httpx2.ReadError("killed before the answer was out")
        killer = threading.Timer(self._chance.uniform(0, IN_FLIGHT_SECONDS), self._kill)
        killer.start()
        try:
            return super().deliver(request)
        finally:
            killer.join()

    def _kill(self) -> None:
        if len(self.killed_at) % 3 == 0:
            self.house.kill("worker")
        self.house.kill("gateway")

    def _changes_something(self, name: str) -> bool:
        """Of the results the first ones will do."""
        if name.startswith("GET /scep") or name == "GET sign-in":
            return False
        return "Acknowledged" not in name or sum("Acknowledged" in done for done in self.killed_at) < RESULTS
