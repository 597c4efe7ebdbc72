"""How much the door takes at once, and what it does with the rest."""

import asyncio
import base64
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from unittest.mock import ANY

import pytest

from devices.door import app
from devices.door.app import Door, Limits
from devices.door.caller import Caller
from devices.door.exchange import Answer, DeviceRequest
from devices.door.store import NOT_FOUND, Exchange, Outcome
from devices.errors import DeviceRefused
from epmm.wire.x509 import sha256
from tests.devices.door.fakes import PROXY, RecordingHandlers, only

IDLE = b"<plist><dict><key>UDID</key><string>x</string><key>Status</key><string>Idle</string></dict></plist>"
LIMIT = 16 << 20


class PatientStore:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = 0

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def ask(self, exchange: Exchange, done: Callable[[Outcome | Exception], object]) -> None:
        task = asyncio.create_task(self.connect(exchange))
        task.add_done_callback(lambda _: done(task.result()))

    async def connect(self, exchange: Exchange) -> Outcome:
        self.asked += 1
        await self.go.wait()
        return Outcome(found=bool(exchange.device_key))


class Call:
    """One request, piece by piece, and what came back.  `then` is what follows the pieces."""

    def __init__(self, pieces: Sequence[bytes], *, announced: int | None = None, then: str = "end") -> None:
        self.pieces = list(pieces)
        self.then = then
        self.received = 0
        self.sent: list[dict[str, Any]] = []
        self.headers = [(b"client-cert", b":aGVsbG8=:")]
        if announced is not None:
            self.headers.append((b"content-length", str(announced).encode()))

    async def made_to(self, door: Door) -> "Call":
        scope = {"type": "http", "method": "PUT", "path": "/mdm/connect", "headers": self.headers, "client": (PROXY, 1)}
        await door(scope, self.receive, self.send)
        return self

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        if not self.pieces:
            if self.then == "hang up":
                return {"type": "http.disconnect"}
            await asyncio.sleep(60)
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces) or self.then != "end"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        assert self.sent == [ANY, {"type": "http.response.body", "body": b""}]
        status: int = self.sent[0]["status"]
        return status


@pytest.fixture(autouse=True)
def _trusted(settings: Any) -> None:
    settings.TRUSTED_PROXIES = [PROXY]


def padded(size: int) -> list[bytes]:
    """An idle message of exactly that size, in pieces as a server passes them on."""
    body = IDLE + b" " * (size - len(IDLE))
    return [body[at : at + 65_536] for at in range(0, size, 65_536)]


def play(
    *calls: Call, limits: Limits | None = None, wait: bool = False, handlers: RecordingHandlers | None = None
) -> list[Call]:
    async def played() -> list[Call]:
        store = PatientStore()
        door = Door(handlers=handlers or RecordingHandlers(), stores=only(store), limits=limits)
        if not wait:
            store.go.set()
        tasks = [asyncio.create_task(call.made_to(door)) for call in calls]
        for _ in range(20):  # all of them are as far as they get
            await asyncio.sleep(0.005)
        store.go.set()
        done = await asyncio.gather(*tasks)
        await door.close()
        return done

    return asyncio.run(played())


def statuses(calls: Iterable[Call]) -> list[int]:
    return [call.status for call in calls]


def test_sixteen_megabytes_are_taken_and_not_a_byte_more() -> None:
    assert statuses(play(Call(padded(LIMIT)), Call(padded(LIMIT + 1)))) == [200, 413]


@pytest.mark.parametrize(
    ("body", "status"), [(padded(LIMIT + 1), 413), ([b"<plist>" + b" " * 100_000], 400)], ids=["large", "malformed"]
)
def test_who_is_refused_what_it_will_send_for_ever_is_named(
    body: list[bytes], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    known, stranger = RecordingHandlers(), RecordingHandlers()
    known.number, stranger.stranger = 7, DeviceRefused("the certificate was not issued here")
    caplog.set_level(logging.INFO, "devices.door.app")
    for handlers in (known, stranger):
        play(Call(body), handlers=handlers)

    named, other = caplog.records
    assert named.getMessage().startswith(f"PUT /mdm/connect {status} ")
    assert (named.levelname, vars(named)["device"]) == ("WARNING", 7)
    assert (other.levelname, "device" in vars(other)) == ("INFO", False)


def test_a_signature_that_vouches_for_nothing_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    handlers = RecordingHandlers()
    handlers.number = 7
    call = Call(padded(LIMIT + 1))
    call.headers = [(b"mdm-signature", b"aGVsbG8=")]
    play(call, handlers=handlers)

    assert (call.status, handlers.recognized) == (413, [])
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_what_announces_too_much_is_refused_before_it_comes() -> None:
    [call] = play(Call(padded(LIMIT + 1), announced=LIMIT + 1))

    assert (call.status, call.received) == (413, 0)


def test_what_never_ends_is_refused_as_soon_as_it_is_too_much() -> None:
    [call] = play(Call([bytes(1 << 20)] * 100, then="hang up"))

    assert (call.status, call.received) == (413, 17)


@pytest.mark.parametrize("pieces", [[IDLE], []], ids=["begun", "silent"])
def test_what_comes_too_slowly_is_given_up(pieces: list[bytes]) -> None:
    [call] = play(Call(pieces, then="wait"), limits=Limits(body_seconds=0.05))

    assert call.status == 408


def test_a_server_that_ends_the_request_is_not_taken_for_a_slow_body() -> None:
    async def played() -> Call:
        door = Door(handlers=RecordingHandlers(), stores=only(PatientStore()))
        call = Call([IDLE], then="wait")
        serving = asyncio.create_task(call.made_to(door))
        await asyncio.sleep(0.01)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        await door.close()
        return call

    assert asyncio.run(played()).sent == []


def test_who_hangs_up_gets_no_answer() -> None:
    [call] = play(Call([IDLE], then="hang up"))

    assert call.sent == []


def test_so_many_wait_and_the_others_come_again() -> None:
    calls = play(*(Call([IDLE]) for _ in range(5)), limits=Limits(requests=3), wait=True)

    assert statuses(calls) == [200, 200, 200, 503, 503]
    assert (b"retry-after", b"15") in calls[-1].sent[0]["headers"]


def test_large_bodies_have_so_much_room_and_leave_the_small_ones_theirs() -> None:
    limits = Limits(large_bytes=250_000)
    calls = play(*(Call(padded(100_000)) for _ in range(3)), Call([IDLE]), limits=limits, wait=True)

    assert statuses(calls) == [200, 200, 503, 200]


def test_what_is_announced_takes_no_room_before_it_comes() -> None:
    limits = Limits(large_bytes=250_000, body_seconds=0.05)
    silent = [Call([], announced=LIMIT, then="wait") for _ in range(8)]
    begun = [Call([IDLE], announced=LIMIT, then="wait") for _ in range(8)]
    calls = play(*silent, *begun, Call(padded(100_000)), limits=limits)

    assert statuses(calls) == [408] * 16 + [200]


def test_places_are_given_back() -> None:
    limits = Limits(requests=1, large_bytes=100_000, body_seconds=0.05)

    async def played() -> list[int]:
        store = PatientStore()
        store.go.set()
        door = Door(handlers=RecordingHandlers(), stores=only(store), limits=limits)
        calls = [Call(padded(100_000)), Call([b"x" * 100_000], then="hang up"), Call([b"<no"]), Call(padded(100_000))]
        done = [await call.made_to(door) for call in calls]
        await door.close()
        return [call.status if call.sent else 0 for call in done]

    assert asyncio.run(played()) == [200, 0, 400, 200]


CHECK_IN = IDLE.replace(b"<key>Status</key><string>Idle", b"<key>MessageType</key><string>CheckOut")


def test_check_ins_that_hang_are_few_and_leave_the_connects_alone() -> None:
    release = threading.Event()

    class Hanging(RecordingHandlers):
        def check_in(self, request: DeviceRequest) -> Answer:
            release.wait(60)
            return super().check_in(request)

    async def played() -> list[int]:
        store = PatientStore()
        store.go.set()
        limits = Limits(requests=1, check_ins=2, check_in_seconds=0.1)
        door = Door(handlers=Hanging(), stores=only(store), limits=limits)
        hanging = [asyncio.create_task(Call([CHECK_IN]).made_to(door)) for _ in range(3)]
        await asyncio.sleep(0.02)
        connect = await Call([IDLE]).made_to(door)
        given_up = await asyncio.gather(*hanging)
        still_there = await Call([CHECK_IN]).made_to(door)
        release.set()
        async with asyncio.timeout(60):
            while (free_again := await Call([CHECK_IN]).made_to(door)).status == 503:  # noqa: ASYNC110 -- as they end
                await asyncio.sleep(0.01)
        await door.close()
        return [call.status for call in (connect, *given_up, still_there, free_again)]

    assert asyncio.run(played()) == [200, 503, 503, 503, 503, 200]


@pytest.mark.parametrize("body", [CHECK_IN, IDLE], ids=["check-in", "connect"])
def test_strangers_that_hang_leave_the_check_ins_of_who_is_known_alone(body: bytes) -> None:
    release = threading.Event()

    class Slow(RecordingHandlers):
        def recognize(self, request: DeviceRequest) -> None:
            super().recognize(request)
            if request.certificate != b"known":
                self.explain(request, "")

        def explain(self, request: DeviceRequest, device_key: str) -> None:  # noqa: ARG002 -- as the protocol has it
            release.wait(10)
            raise DeviceRefused("the certificate was not issued here")

    class Strange(PatientStore):
        async def connect(self, exchange: Exchange) -> Outcome:  # noqa: ARG002 -- as the protocol has it
            return NOT_FOUND

    def call(body: bytes, certificate: bytes) -> Call:
        made = Call([body])
        made.headers = [(b"client-cert", b":%b:" % base64.b64encode(certificate))]
        return made

    async def played() -> list[int]:
        handlers = Slow()
        door = Door(handlers=handlers, stores=only(Strange()), limits=Limits(strangers=2, check_ins=1))
        first = await call(CHECK_IN, b"known").made_to(door)
        hanging = [asyncio.create_task(call(body, b"stranger").made_to(door)) for _ in range(2)]
        await asyncio.sleep(0.02)
        known = await call(CHECK_IN, b"known").made_to(door)
        one_more = await call(body, b"another").made_to(door)
        release.set()
        refused = await asyncio.gather(*hanging)
        await door.close()
        assert len(handlers.checked_in) == 2
        return [call.status for call in (first, known, one_more, *refused)]

    assert asyncio.run(played()) == [200, 200, 503, 403, 403]


def test_who_is_remembered_as_known_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MOST_RECOGNIZED", 2)
    handlers = RecordingHandlers()

    async def played() -> None:
        door = Door(handlers=handlers, stores=only(PatientStore()))
        for name in (b"one", b"two", b"one", b"three", b"one"):
            call = Call([CHECK_IN])
            call.headers = [(b"client-cert", b":%b:" % base64.b64encode(name))]
            assert (await call.made_to(door)).status == 200
        await door.close()

    asyncio.run(played())
    assert handlers.recognized == [sha256(name) for name in (b"one", b"two", b"three", b"one")]


def test_without_credentials_no_body_is_read() -> None:
    call = Call(padded(100_000))
    call.headers = []

    play(call)
    assert (call.status, call.received) == (403, 0)


@pytest.mark.parametrize(
    ("size", "headers", "thread"),
    [
        (len(IDLE), [(b"client-cert", b":aGVsbG8=:")], "MainThread"),
        (100_000, [(b"client-cert", b":aGVsbG8=:")], "door-reader_0"),
        (len(IDLE), [(b"mdm-signature", b"aGVsbG8=")], "MainThread"),
        (100_000, [(b"mdm-signature", b"aGVsbG8=")], "door-reader_0"),
        (len(IDLE), [(b"mdm-signature", b"aGVs" * 2000)], "door-reader_0"),
    ],
)
def test_what_takes_long_is_done_off_the_loop(
    monkeypatch: pytest.MonkeyPatch, size: int, headers: list[tuple[bytes, bytes]], thread: str
) -> None:
    threads: list[str] = []

    def noting_certificate(_caller: Caller, _body: bytes) -> bytes:
        threads.append(threading.current_thread().name)
        return b"certificate"

    monkeypatch.setattr(Caller, "certificate", noting_certificate)
    call = Call(padded(size))
    call.headers = headers

    assert statuses(play(call)) == [200]
    assert threads == [thread]


@pytest.mark.parametrize(
    ("size", "signature"), [(100_000, b"aGVsbG8="), (len(IDLE), b"aGVs" * 2000)], ids=["body", "signature"]
)
def test_nothing_large_of_a_stranger_is_read(monkeypatch: pytest.MonkeyPatch, size: int, signature: bytes) -> None:
    """Anybody can sign with a certificate of their own making, and have us read sixteen megabytes for it."""
    monkeypatch.setattr(Caller, "certificate", lambda _caller, _body: b"certificate")
    monkeypatch.setattr(app, "read_top_level", lambda _body: pytest.fail("it was read"))
    handlers = RecordingHandlers()
    handlers.stranger = DeviceRefused("the certificate was not issued here")
    call = Call(padded(size))
    call.headers = [(b"mdm-signature", signature)]

    assert statuses(play(call, handlers=handlers)) == [403]
    assert handlers.recognized == [sha256(b"certificate")]


def test_who_is_known_is_found_in_the_same_statement_while_it_is_small() -> None:
    handlers = RecordingHandlers()
    play(Call([IDLE]), handlers=handlers)

    assert handlers.recognized == []
