"""The devices of the fault harness: who they are, and that they wait for their pushes."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from bench import faults
from bench.faults import channels, kinds
from bench.faults.channels import Who
from bench.faults.players import Device, Fleet, Manner
from bench.players import LightDevice
from devices.models import Channel
from devices.services import send
from epmm.wire import plist

MANNER = Manner(pause=0.05, version="18.1", largest=1).gentle(0.05)


class Door:
    """Hands out what it has, and keeps what it is told."""

    def __init__(self, *waiting: tuple[UUID, str]) -> None:
        self.waiting, self.told = list(waiting), list[dict[str, object]]()
        self.lines: list[asyncio.Task[None]] = []

    def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError), closing(writer):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                self.told.append(plist.load_dict(await reader.readexactly(length), max_bytes=length))
                body = self._next() if self.waiting else b""
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.wait_closed()

    def _next(self) -> bytes:
        uuid, request_type = self.waiting.pop(0)
        return plist.dump({"CommandUUID": str(uuid), "Command": {"RequestType": request_type}})


def played(door: Door, who: Who, manner: Manner, story: Callable[[Device], Awaitable[None]]) -> Fleet:
    async def play() -> Fleet:
        async with await asyncio.start_server(door.answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            fleet = Fleet(urlsplit(f"http://127.0.0.1:{port}/mdm/connect"), manner)
            device = Device(who, fleet, "seed")
            life = asyncio.create_task(device.live())
            await story(device)
            life.cancel()
            await asyncio.gather(life, *door.lines, return_exceptions=True)
            return fleet

    return asyncio.run(play())


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 -- what it waits for has no event
            await asyncio.sleep(0.01)


def test_a_device_waits_for_its_push_and_one_that_polls_does_not() -> None:
    door, poller = Door(), Door()

    async def story(device: Device) -> None:
        await asyncio.sleep(0.5)
        assert door.told == []
        device.wake()
        await until(lambda: len(door.told) == 1)
        await asyncio.sleep(0.5)

    played(door, Who(LightDevice(2)), MANNER, story)
    played(poller, Who(LightDevice(1)), MANNER, lambda _: until(lambda: len(poller.told) > 1))

    assert [each["Status"] for each in door.told] == ["Idle"]


def test_a_user_answers_as_such_and_the_account_says_what_was_handed_out() -> None:
    uuid, who = uuid4(), next(who for who in channels.all_of(channels.EVERY) if who.user)
    door = Door((uuid, "InstalledApplicationList"))

    async def story(device: Device) -> None:
        device.wake()
        await until(lambda: len(door.told) == 2)
        await until(lambda: device.unsure is None)

    fleet = played(door, who, MANNER, story)

    idle, answer = door.told
    assert idle == {**who.sender, "Status": "Idle"}
    assert (answer["UserID"], answer["CommandUUID"]) == (who.user, str(uuid).upper())
    assert len(plist.dump(answer)) > 1_000_000  # the first list of each fleet is a large one
    assert [told.who for told in fleet.account.told] == [str(who)]
    assert [handed for handed, _ in fleet.account.handed] == [uuid]


def test_a_device_that_puts_everything_off_comes_back_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.faults.players.COME_AGAIN_SECONDS", 0.01)
    door = Door((uuid4(), "ProfileList"), (uuid4(), "ProfileList"))

    async def story(device: Device) -> None:
        device.wake()
        await until(lambda: len(door.told) > 3)

    played(door, Who(LightDevice(2)), Manner(pause=1, version="18.1", dropped=0, twice=0, put_off=1), story)

    assert [each["Status"] for each in door.told[:4]] == ["Idle", "NotNow", "NotNow", "Idle"]


@pytest.mark.django_db
def test_every_tenth_device_is_a_mac_whose_user_has_a_queue() -> None:
    channels.enroll(20)

    users = Channel.objects.exclude(user_key="").select_related("enrollment__device").order_by("pk")
    assert [bytes(channel.push_token or b"") for channel in users] == [
        who.token for who in channels.all_of(20) if who.user
    ]
    for channel in users:
        device = channel.enrollment.device
        assert device is not None
        assert send.prepare(device, "ProfileList", user_key=channel.user_key).channel == channel


def test_what_takes_long_happens_once_and_never_in_brief() -> None:
    parser = argparse.ArgumentParser()
    faults.add_arguments(parser)
    order = faults.order_of(parser.parse_args(["--rounds", "40"]))
    brief = faults.order_of(parser.parse_args(["--brief"]))

    long = [kind for kind in kinds.ALL if kind.lasting]
    assert [order.count([kind]) for kind in long] == [1] * len(long)
    assert len(order) == 40
    assert brief == [[kind for kind in kinds.ALL if not kind.lasting]]
