"""What reading one result costs the worker, on a throw-away database."""

import argparse
import plistlib
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from bench import calibration, site, telling
from bench.answers import TOLD
from bench.telling import Telling
from epmm import collector


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="sqlite")
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--applications", type=int, default=150)
    telling.add_argument(parser)


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database) as here:
        about = {"database": here.about, "calibration": calibration.line(), "devices": options.devices}
        told = Telling(as_json=options.json, **about)
        told.say(f"{here.about}\n{calibration.line()}; budget 400 us for a DeviceInformation\n")
        _read_only(_answer(TOLD), told)
        _digest(options.devices, options.applications, told)
        told.end()


def _answer(told: dict[str, Any]) -> bytes:
    return plistlib.dumps({"Status": "Acknowledged", "CommandUUID": str(uuid4()), "QueryResponses": told})


def _cpu(work: Callable[[], object], times: int) -> float:
    """Microseconds of processor time for one."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times * 1e6


def _read_only(body: bytes, told: Telling) -> None:
    from devices.protocol.commands import Kind
    from devices.protocol.inventory import read_device_information
    from epmm.wire import plist

    parsed = plist.load_dict(body)
    told.say(f"DeviceInformation of {len(body)} bytes, microseconds of processor time\n")
    cost = _cpu(lambda: plist.load_dict(body), 2000)
    told.figure(f"  property list  {cost:7.0f}\n", name="property list", cpu_us=cost)
    cost = _cpu(lambda: read_device_information(parsed, Kind.ADDE), 2000)
    told.figure(f"  typed values   {cost:7.0f}\n", name="typed values", cpu_us=cost)


def _digest(devices: int, applications: int, told: Telling) -> None:
    from devices.services import results

    collector.spare()  # as the worker does
    enrollments = _enrollments(devices)
    listed = [
        {"Identifier": f"com.example.app{n}", "Name": f"App {n}", "Version": "1", "BundleSize": n, "IsValidated": True}
        for n in range(applications)
    ]
    changed = [item | {"Version": "2"} if n % 10 == 0 else item for n, item in enumerate(listed)]
    rounds: list[tuple[str, str, dict[str, Any]]] = [
        ("DeviceInformation, first", "DeviceInformation", {"QueryResponses": TOLD}),
        ("DeviceInformation, again", "DeviceInformation", {"QueryResponses": TOLD | {"BatteryLevel": 0.5}}),
        ("DeviceInformation, same", "DeviceInformation", {"QueryResponses": TOLD | {"BatteryLevel": 0.5}}),
        (f"{applications} applications, first", "InstalledApplicationList", {"InstalledApplicationList": listed}),
        (f"{applications} applications, same", "InstalledApplicationList", {"InstalledApplicationList": listed}),
        (f"{applications} applications, 10 % new", "InstalledApplicationList", {"InstalledApplicationList": changed}),
    ]
    told.say("whole digest, for one result: processor time and elapsed, microseconds\n")
    for name, request_type, keys in rounds:
        _store(enrollments, request_type, plistlib.dumps({"Status": "Acknowledged", **keys}))
        started, cpu = time.perf_counter(), time.process_time()
        done = 0
        while count := results.read_results():
            done += count
        cpu, elapsed = time.process_time() - cpu, time.perf_counter() - started
        if done != devices:
            raise SystemExit(f"{name}: {done} answers were read, of {devices}")
        line = f"  {name:30} {cpu / done * 1e6:8.0f} {elapsed / done * 1e6:8.0f}\n"
        told.figure(line, name=name, cpu_us=cpu / done * 1e6, elapsed_us=elapsed / done * 1e6)
    check(devices, applications)


def check(devices: int, applications: int) -> None:
    """An answer that cannot be read is set aside, and so costs little: what was told must stand in the records."""
    from devices.models import Device, InstalledApplication

    known = Device.objects.filter(os_version=TOLD["OSVersion"]).count()
    listed = InstalledApplication.objects.count()
    if (known, listed) != (devices, devices * applications):
        raise SystemExit(f"{known} records are up to date and list {listed} applications")


def _enrollments(count: int) -> list[Any]:
    from devices.models import Channel, Device, Enrollment
    from users.models import User

    user = User.objects.create(user_id="bench")
    channels = []
    for number in range(count):
        udid = f"00008140-{number:016X}"
        device = Device.objects.create(user=user, udid=udid, status=Device.Status.ACTIVE, mdm_managed=True)
        enrollment = Enrollment.objects.create(
            device=device, user=user, kind=Enrollment.Kind.ADDE, state=Enrollment.State.ACTIVE, udid=TOLD["UDID"]
        )
        channels.append(Channel.objects.create(enrollment=enrollment))
    return channels


def _store(channels: list[Any], request_type: str, body: bytes) -> None:
    from django.utils import timezone

    from devices.models import Command, Payload, Result

    (payload,) = Payload.objects.of([b"bench"])
    for channel in channels:
        command = Command.objects.create(channel=channel, request_type=request_type, payload=payload)
        Result.of(command, Command.State.ACKNOWLEDGED, timezone.now(), body).save(force_insert=True)
        command.delete()
