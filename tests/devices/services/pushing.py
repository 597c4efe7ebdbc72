"""The stand-in of APNs at the other end of a real line, and channels that it can wake."""

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from devices import apns
from devices.apns_standin.script import Answer, Script
from devices.apns_standin.server import Seen, StandIn
from devices.apns_standin.tls import server_context
from devices.models import Channel, Command
from epmm.dev_tls import ServerFiles
from tests.devices.services.rows import channel_of, enrolled

TOPIC: Final = "com.apple.mgmt.External.test"
DAY: Final = timedelta(days=1)


@dataclass
class Apple:
    """The stand-in, in a thread with a loop of its own."""

    files: ServerFiles
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        tls = server_context(self.files, clients=self.files.ca)
        self.stand_in = StandIn(tls=tls, watcher=self.seen.append)
        self._run(self.stand_in.start())

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(60)  # type: ignore[arg-type] # coroutines of any kind

    def close(self) -> None:
        apns.shut_down()
        self._run(self.stand_in.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def woken(self) -> list[str]:
        """The tokens pushed to since the last call, as hex."""
        seen = [item.asked.token for item in self.seen]
        self.seen.clear()
        return seen

    def answers(self, channel: Channel, status: int, reason: str, at: datetime | None = None) -> None:
        moment = None if at is None else int(at.timestamp() * 1000)
        answer = Answer(status=status, reason=reason, timestamp=moment)
        self.stand_in.script = Script(answers={bytes(channel.push_token or b"").hex(): answer})


def reachable(number: int = 1, *, user_key: str = "") -> Channel:
    channel = channel_of(enrolled(udid=f"device-{number}"), user_key)
    channel.push_token, channel.push_magic = bytes([number]) * 32, b"magic"
    channel.token_updated_at = timezone.now() - DAY
    channel.save()
    return channel


def token(channel: Channel) -> str:
    return bytes(channel.push_token or b"").hex()


def due_in(row: Command) -> timedelta:
    row.refresh_from_db()
    return row.push_at - timezone.now()
