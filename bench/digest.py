"""What reading one result costs the worker, on a throw-away database.  By hand only, see README.md."""

import argparse
import os
import plistlib
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent))
out: Final = sys.stdout.write

TOLD: Final[dict[str, Any]] = {
    "UDID": "00008140-000A1B2C3D4E5F60",
    "SerialNumber": "TESTSERIAL01",
    "DeviceName": "Anna's iPhone",
    "OSVersion": "18.2",
    "BuildVersion": "22C150",
    "ModelName": "iPhone",
    "Model": "MYLQ3ZD",
    "ModelNumber": "MYLQ3ZD/A",
    "ProductName": "iPhone17,1",
    "DeviceCapacity": 256.0,
    "AvailableDeviceCapacity": 97.25,
    "BatteryLevel": 0.81,
    "CellularTechnology": 3,
    "WiFiMAC": "00:11:22:33:44:55",
    "BluetoothMAC": "00:11:22:33:44:56",
    "IsSupervised": False,
    "IsMultiUser": False,
    "IsRoaming": False,
    "IsCloudBackupEnabled": True,
    "IsDeviceLocatorServiceEnabled": True,
    "IsDoNotDisturbInEffect": False,
    "IsMDMLostModeEnabled": False,
    "IsNetworkTethered": False,
    "DataRoamingEnabled": False,
    "PersonalHotspotEnabled": False,
    "DiagnosticSubmissionEnabled": True,
    "AppAnalyticsEnabled": True,
    "iTunesStoreAccountIsActive": True,
    "AwaitingConfiguration": False,
    "TimeZone": "Europe/Berlin",
    "EASDeviceIdentifier": "A1B2C3D4E5F60718293A4B5C6D7E8F90",
    "ModemFirmwareVersion": "1.20.03",
    "SoftwareUpdateDeviceID": "iPhone17,1",
    "OrganizationInfo": {"OrganizationName": "Corp", "OrganizationEMail": "it@corp.example"},
    "MDMOptions": {"ActivationLockAllowedWhileSupervised": False},
    "ServiceSubscriptions": [
        {
            "Slot": slot,
            "Label": "Primary",
            "LabelID": str(uuid4()).upper(),
            "IMEI": "35 693803 564380 9",
            "ICCID": "8949 0200 0012 3456 7890",
            "PhoneNumber": "+49 151 00000000",
            "CurrentCarrierNetwork": "Carrier",
            "CurrentMCC": "262",
            "CurrentMNC": "01",
            "CarrierSettingsVersion": "60.0",
            "IsDataPreferred": slot.endswith("One"),
            "IsVoicePreferred": slot.endswith("One"),
            "IsRoaming": False,
        }
        for slot in ("CTSubscriptionSlotOne", "CTSubscriptionSlotTwo")
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--applications", type=int, default=150)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="epmm-bench-") as directory:
        _set_up(directory)
        from django.db import connection

        database = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            _read_only(_answer(TOLD))
            _digest(options.devices, options.applications)
        finally:
            connection.creation.destroy_test_db(database, verbosity=0)


def _set_up(directory: str) -> None:
    """The product's settings: SQLite in a directory of its own, or the server that EPMM_DATABASE_URL names."""
    os.environ.setdefault("EPMM_SECRET_KEY", "b" * 50)
    os.environ.setdefault("EPMM_FIELD_KEYS", "b1:" + b64encode(bytes(32)).decode())
    os.environ.update(EPMM_DATA_DIR=directory, DJANGO_SETTINGS_MODULE="epmm.settings")
    import django
    from django.db import connection

    django.setup()
    if connection.vendor == "sqlite":  # a file, synchronous as in the product, where memory would flatter
        connection.settings_dict["TEST"]["NAME"] = str(Path(directory) / "bench.sqlite3")


def _answer(told: dict[str, Any]) -> bytes:
    return plistlib.dumps({"Status": "Acknowledged", "CommandUUID": str(uuid4()), "QueryResponses": told})


def _cpu(work: Callable[[], object], times: int) -> float:
    """Microseconds of processor time for one."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times * 1e6


def _read_only(body: bytes) -> None:
    from devices.protocol.commands import Kind
    from devices.protocol.inventory import read_device_information
    from epmm.wire import plist

    parsed = plist.load_dict(body)
    out(f"DeviceInformation of {len(body)} bytes, microseconds of processor time\n")
    out(f"  property list  {_cpu(lambda: plist.load_dict(body), 2000):7.0f}\n")
    out(f"  typed values   {_cpu(lambda: read_device_information(parsed, Kind.ADDE), 2000):7.0f}\n")


def _digest(devices: int, applications: int) -> None:
    from devices.services import results

    enrollments = _enrollments(devices)
    listed = [
        {"Identifier": f"com.example.app{n}", "Name": f"App {n}", "Version": "1", "BundleSize": n, "IsValidated": True}
        for n in range(applications)
    ]
    changed = [item | {"Version": "2"} if n % 10 == 0 else item for n, item in enumerate(listed)]
    rounds: list[tuple[str, str, dict[str, Any]]] = [
        ("DeviceInformation, first", "DeviceInformation", {"QueryResponses": TOLD}),
        ("DeviceInformation, again", "DeviceInformation", {"QueryResponses": TOLD | {"BatteryLevel": 0.5}}),
        (f"{applications} applications, first", "InstalledApplicationList", {"InstalledApplicationList": listed}),
        (f"{applications} applications, same", "InstalledApplicationList", {"InstalledApplicationList": listed}),
        (f"{applications} applications, 10 % new", "InstalledApplicationList", {"InstalledApplicationList": changed}),
    ]
    out("whole digest, for one result: processor time and elapsed, microseconds\n")
    for name, request_type, keys in rounds:
        _store(enrollments, request_type, plistlib.dumps({"Status": "Acknowledged", **keys}))
        started, cpu = time.perf_counter(), time.process_time()
        done = 0
        while count := results.read_results():
            done += count
        cpu, elapsed = time.process_time() - cpu, time.perf_counter() - started
        out(f"  {name:30} {cpu / done * 1e6:8.0f} {elapsed / done * 1e6:8.0f}\n")


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


if __name__ == "__main__":
    main()
