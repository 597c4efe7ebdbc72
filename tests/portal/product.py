"""The whole product in processes of its own: with people, their devices, a stand-in for APNs, and a browser."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import BrowserContext

from devices.apns_standin import lab
from devices.apns_standin.server import Seen, StandIn
from devices.apns_standin.tls import server_context
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.network import Network
from tests.enrollment.pages import chromium
from tests.epmm.test_up import HOST, Installation
from tests.flows.house import PASSWORD, next_key
from tests.portal.window import watched

TOPIC: Final = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"
PREPARE: Final = """
import json, pathlib
from devices.services import push_installation
from users.services import people
given = json.loads(GIVEN)
pem = pathlib.Path(given["push"]).read_bytes()
push_installation.install(pem, key=pem, apple_account="it@example.com", confirmed=True, actor="test")
for person in given["people"]:
    people.create(people.NewPerson(**person, password=given["password"]), actor="test")
"""


class Product(Installation):
    """An installation whose devices can be woken."""

    def __init__(self, directory: Path, database: str = "") -> None:
        super().__init__(directory, database)
        self.seen: list[Seen] = []
        self._devices: list[SimulatedDevice] = []
        self._files = lab.ensure(directory / "apns", host="127.0.0.1", now=datetime.now(UTC))
        self._push = directory / "push.pem"
        lab.write(self._push, lab.make_push_certificate(self._files, topic=TOPIC, now=datetime.now(UTC)))

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def one_time_password(self) -> str:
        """Of the first administrator, who must choose another at once."""
        found = re.search(r"one-time password (\S+)", self.log)
        assert found, self.log
        return found[1]

    def inhabit(self, people: Sequence[Mapping[str, Any]]) -> None:
        """People who can sign in, and the certificate that wakes their devices."""
        given = {"push": str(self._push), "people": people, "password": PASSWORD}
        self.python(PREPARE.replace("GIVEN", repr(json.dumps(given))))

    def device(self, user_id: str, family: Family = Family.IPHONE) -> SimulatedDevice:
        """In the hand of the person with this name."""
        device = SimulatedDevice(
            f"{user_id}@{HOST}",
            hardware=Hardware.new(family),
            network=Network(trust=self.data / "tls" / "ca.pem"),
            ports={HOST: self.port},
            new_key=next_key,
        )
        self._devices.append(device)
        return device

    @contextmanager
    def push_service(self) -> Iterator[None]:
        """Plays APNs in a thread; `seen` is what came there."""
        ready, runner = threading.Event(), asyncio.Runner()
        stand_in = StandIn(tls=server_context(self._files, clients=self._files.ca), watcher=self.seen.append)

        async def serve() -> None:
            async with stand_in:
                ready.set()
                await over.wait()

        over = asyncio.Event()
        thread = threading.Thread(target=runner.run, args=[serve()])
        thread.start()
        assert ready.wait(60)
        self.environment |= {"EPMM_APNS_SERVER": f"127.0.0.1:{stand_in.port}", "EPMM_APNS_CA": str(self._files.ca)}
        try:
            yield
        finally:
            runner.get_loop().call_soon_threadsafe(over.set)
            thread.join()
            runner.close()

    def close(self) -> None:
        for device in self._devices:
            device.close()
        if self.process is not None and self.process.poll() is None:
            self.stop()


@contextmanager
def opened(directory: Path, people: Sequence[Mapping[str, Any]], database: str = "") -> Iterator[Product]:
    """A fresh installation with these people in it, nothing else set up yet."""
    product = Product(directory, database)
    with product.push_service():
        try:
            product.start()
            product.inhabit(people)
            yield product
        finally:
            product.close()


@contextmanager
def browser(product: Product, **options: Any) -> Iterator[BrowserContext]:
    """It finds the product under its public name, and takes the development certificate."""
    with chromium.start() as chrome:
        yield chrome.new_context(ignore_https_errors=True, locale="en", **({"viewport": chromium.DESK} | options))


__all__ = ["HOST", "PASSWORD", "Product", "browser", "opened", "watched"]
