"""What one connect costs: the device door in this process, on a throw-away database.  By hand only, see README.md."""

import argparse
import asyncio
import hashlib
import logging
import os
import plistlib
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
PROXY: Final = "127.0.0.1"
Request: TypeAlias = tuple[dict[str, Any], dict[str, Any]]  # ASGI's scope, and the one message that it receives
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
out: Final = sys.stdout.write


@dataclass(frozen=True, slots=True)
class BenchDevice:
    udid: str
    certificate: bytes

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.certificate).digest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20, help="requests per device in each scenario")
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--history", type=int, default=0, help="finished commands per device")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="epmm-bench-") as directory:
        _set_up(directory)
        from django.db import connection

        database = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            _run(options)
        finally:
            connection.creation.destroy_test_db(database, verbosity=0)


def _set_up(directory: str) -> None:
    """The product's settings: SQLite in a directory of its own, or the server that EPMM_DATABASE_URL names."""
    os.environ.setdefault("EPMM_SECRET_KEY", "b" * 50)
    os.environ.setdefault("EPMM_FIELD_KEYS", "b1:" + b64encode(bytes(32)).decode())
    os.environ.update(EPMM_DATA_DIR=directory, EPMM_TRUSTED_PROXIES=PROXY, DJANGO_SETTINGS_MODULE="epmm.settings")
    import django
    from django.db import connection

    django.setup()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(Path(os.devnull).open("w"))  # noqa: SIM115 -- lines are written, but not among the figures
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(Path(directory) / "bench.sqlite3")


def _run(options: argparse.Namespace) -> None:
    from django.db import connection

    out(f"{connection.vendor}, {options.devices} devices with {options.history} finished commands each\n")
    devices = _enroll(options.devices, options.history)
    out(f"plistlib reads an idle message in {_calibration():.0f} us\n")
    idle = [_request(device, {"Status": "Idle"}) for device in devices] * options.rounds
    _measure("idle, nothing queued", idle, options.concurrency)
    for name, size in (("acknowledged 0.4 KB", 0), ("acknowledged 7 KB", 7000)):
        queued = _queue(options.rounds)
        answers = [_request(d, _answer(uuid, size)) for row in queued for d, uuid in zip(devices, row, strict=True)]
        _measure(f"{name}, next command", answers, options.concurrency)
        _check(len(answers))
    _queue(1)
    _measure("idle, one command queued", idle, options.concurrency)


def _enroll(count: int, history: int) -> list[BenchDevice]:
    from django.utils import timezone

    from devices.models import Channel, Command, Enrollment, FinishedCommand, Identity, Payload
    from users.models import User

    user, now = User.objects.create(user_id="bench"), timezone.now()
    devices = [BenchDevice(f"00008140-{number:016X}", os.urandom(900)) for number in range(count)]
    enrollments = Enrollment.objects.bulk_create(
        Enrollment(user=user, kind="adde", state=Enrollment.State.ACTIVE, device_key=device.udid) for device in devices
    )
    Identity.objects.bulk_create(
        Identity(
            enrollment=enrollment, sha256=device.sha256, serial_number=device.udid, der=device.certificate,
            not_before=now, not_after=now + timedelta(days=1), state=Identity.State.CURRENT,
        )
        for device, enrollment in zip(devices, enrollments, strict=True)
    )  # fmt: skip
    channels = Channel.objects.bulk_create(Channel(enrollment=enrollment) for enrollment in enrollments)
    (payload,) = Payload.objects.of([b"bench"])
    finished = Command.State.ACKNOWLEDGED
    for number in range(history):
        FinishedCommand.objects.bulk_create(
            FinishedCommand(
                id=-number * count - index, channel=channel, payload=payload, request_type="R", state=finished,
                done_at=now, body=b"<plist/>",
            )
            for index, channel in enumerate(channels)
        )  # fmt: skip
    return devices


def _queue(rounds: int) -> list[list[UUID]]:
    """For each round one command of 900 bytes for each device; returns their UUIDs in the order of the devices."""
    from devices.models import Channel, Command, Payload, Result

    Result.objects.all().delete()
    Command.objects.all().delete()
    (payload,) = Payload.objects.of([_command()])
    channels = list(Channel.objects.order_by("pk"))
    rows = [[uuid4() for _ in channels] for _ in range(rounds)]
    Command.objects.bulk_create(
        Command(uuid=uuid, channel=channel, request_type="DeviceInformation", payload=payload)
        for row in rows
        for channel, uuid in zip(channels, row, strict=True)
    )
    return rows


def _command() -> bytes:
    """Of 900 bytes, without its UUID."""
    from devices.protocol.stamp import NOBODY
    from epmm.wire.plist import dump

    return dump({"CommandUUID": str(NOBODY), "Command": {"RequestType": "DeviceInformation", "Queries": "x" * 540}})


def _answer(uuid: UUID, size: int) -> dict[str, Any]:
    values = {f"Query{number:03}": f"some value {number:040}" for number in range(size // 90)}
    nested = {"QueryResponses": values} if values else {}
    return {"CommandUUID": str(uuid).upper(), "Status": "Acknowledged", **nested}


def _request(device: BenchDevice, keys: dict[str, Any]) -> Request:
    from epmm.wire.plist import dump

    body = dump({"UDID": device.udid, **keys})
    headers = [(b"client-cert", b":" + b64encode(device.certificate) + b":"), (b"host", b"mdm.example.test")]
    scope = {"type": "http", "method": "PUT", "path": "/mdm/connect", "client": (PROXY, 1), "headers": headers}
    return scope, {"type": "http.request", "body": body}


def _measure(name: str, requests: Sequence[Request], concurrency: int) -> None:
    from django.db import connections

    from devices.door.app import Door
    from devices.door.store import store_for
    from enrollment.checkin import CheckinHandlers

    statuses: list[int] = []
    waiting = iter(requests)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        door = Door(handlers=CheckinHandlers(), store=store_for(connections["default"].settings_dict))
        runner.run(door.open())
        runner.run(_callers(door, iter(requests[:concurrency]), statuses, concurrency))  # connections, statements
        own, database, wall = time.process_time(), _database_seconds(), time.perf_counter()
        runner.run(_callers(door, waiting, statuses, concurrency))
        wall, own, database = time.perf_counter() - wall, time.process_time() - own, _database_seconds() - database
        runner.run(door.close())
    if set(statuses) != {200}:
        raise SystemExit(f"{name}: not every answer was 200")
    each = 1e6 / len(requests)
    cpu = f"CPU {own * each:4.0f} us here" + (f" + {database * each:4.0f} us in PostgreSQL" if database else "")
    out(f"{name:<38} {len(requests) / wall:7.0f} requests/s   {cpu}\n")


async def _callers(door: Any, requests: Iterator[Request], statuses: list[int], count: int) -> None:
    await asyncio.gather(*(_caller(door, requests, statuses) for _ in range(count)))


async def _caller(door: Any, requests: Iterator[Request], statuses: list[int]) -> None:
    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            statuses.append(message["status"])

    for scope, message in requests:

        async def receive(message: dict[str, Any] = message) -> dict[str, Any]:
            return message

        await door(scope, receive, send)


def _database_seconds() -> float:
    """CPU time of PostgreSQL's backends for this database, where they run on this machine."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        stats = [Path(f"/proc/{pid}/stat") for (pid,) in cursor.fetchall()]
    fields = [stat.read_text().rpartition(")")[2].split() for stat in stats if stat.exists()]
    return sum(int(field[11]) + int(field[12]) for field in fields) / CLOCK_TICKS


def _calibration() -> float:
    message = plistlib.dumps({"UDID": "00008140-0000000000000000", "Status": "Idle"})
    start = time.process_time()
    for _ in range(10_000):
        plistlib.loads(message)
    return (time.process_time() - start) / 10_000 * 1e6


def _check(expected: int) -> None:
    from devices.models import Result

    if Result.objects.count() != expected:
        raise SystemExit("rows and answers differ")


if __name__ == "__main__":
    main()
