"""A stand-in for APNs inside the test, and a client that knows it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from devices.apns import ApnsClient, Limits, PushIdentity, Server
from devices.apns_standin.lab import PushPem
from devices.apns_standin.script import Script
from devices.apns_standin.server import Seen, StandIn
from devices.apns_standin.tls import server_context
from devices.protocol.push import Push
from epmm.dev_tls import ServerFiles

T = TypeVar("T")

TOPIC = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"
QUICK = Limits(request_seconds=20, connect_seconds=20, backoff_seconds=0.01)
SILENT = Limits(request_seconds=1, connect_seconds=20, backoff_seconds=0.01)  # where no answer is the point


def token(number: int) -> bytes:
    return number.to_bytes(4, "big") * 8


def a_push(number: int = 1, topic: str = TOPIC) -> Push:
    return Push(
        token=token(number), magic=f"magic-{number}", topic=topic, expiration=1795651200, apns_id=UUID(int=number)
    )


async def until(is_so: Callable[[], object]) -> None:
    """Whoever tells the story has so many seconds for all of it."""
    while not is_so():  # noqa: ASYNC110 -- it is told nobody
        await asyncio.sleep(0.01)


def pushes(count: int) -> list[Push]:
    return [a_push(number) for number in range(1, count + 1)]


@dataclass
class Laboratory:
    files: ServerFiles
    pem: PushPem
    seen: list[Seen] = field(default_factory=list)

    @property
    def identity(self) -> PushIdentity:
        return PushIdentity(certificate=self.pem.certificate, key=self.pem.key)

    def stand_in(self, script: Script | None = None) -> StandIn:
        tls = server_context(self.files, clients=self.files.ca)
        return StandIn(tls=tls, script=script, watcher=self.seen.append)

    def server(self, port: int) -> Server:
        return Server(host="localhost", port=port, trust=self.files.ca)

    def client(self, port: int, limits: Limits = QUICK) -> ApnsClient:
        return ApnsClient(self.identity, self.server(port), limits)

    def play(
        self,
        story: Callable[[ApnsClient, StandIn], Awaitable[T]],
        script: Script | None = None,
        *,
        limits: Limits = QUICK,
    ) -> T:
        """Run the story, and leave nothing open behind it."""

        async def run() -> T:
            async with self.stand_in(script) as stand_in, self.client(stand_in.port, limits) as client:
                return await asyncio.wait_for(story(client, stand_in), 60)

        return asyncio.run(run())
