"""Channels that hold declarations, and a device that asks for them straight from the services."""

import json
from typing import Any

from devices.models import Channel, Command, DeclarationSet, Device, Enrollment
from devices.protocol.declarations import DeclarationKind
from devices.services import declaration_status, declarative
from epmm import jobs
from epmm.models import Job
from tests.devices.services.rows import channel_of, device_of, enrolled
from tests.flows.house import be_a_worker

PASSCODE = "com.apple.configuration.passcode.settings"
ENFORCE = "com.apple.configuration.softwareupdate.enforcement.specific"


def iphone(*, switched_on: bool = True, **fields: Any) -> Device:
    """An iPhone with iOS 18.2, unless something else is said; declarative management is on and in step."""
    values: dict[str, Any] = {"os_version": "18.2", "os_version_number": 18_002_000, "serial_number": "S1"} | fields
    enrollment = enrolled(**values)
    if switched_on:
        switch_on(enrollment)
    return device_of(enrollment)


def switch_on(enrollment: Enrollment) -> None:
    declarative.switch_on(enrollment)
    for channel in enrollment.channels.all():
        synchronize(channel)
    answer_commands()


def channel(device: Device, user_key: str = "") -> Channel:
    return channel_of(device.enrollments.get(), user_key)


def set_of(device: Device, user_key: str = "") -> DeclarationSet:
    return DeclarationSet.objects.get(channel=channel(device, user_key))


def synchronize(channel: Channel) -> dict[str, dict[str, Any]]:
    """All declarations by identifier, as a device would fetch them."""
    tokens = json.loads(declarative.tokens(channel))["SyncTokens"]
    manifest = json.loads(declarative.manifest(channel))
    assert manifest["DeclarationsToken"] == tokens["DeclarationsToken"]
    return fetch(channel, manifest)


def fetch(channel: Channel, manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for name, listed in manifest["Declarations"].items():
        kind = DeclarationKind(name.lower().removesuffix("s"))
        for item in listed:
            document = json.loads(declarative.declaration(channel, kind, item["Identifier"]))
            assert document["ServerToken"] == item["ServerToken"]
            found[item["Identifier"]] = document
    return found


def report(channel: Channel, items: dict[str, Any] | None = None, **keys: Any) -> None:
    """It comes, and the worker reads it."""
    send(channel, items, **keys)
    declaration_status.read_reports()


def send(channel: Channel, items: dict[str, Any] | None = None, **keys: Any) -> None:
    declaration_status.accept(channel, json.dumps({"StatusItems": items or {}, "Errors": [], **keys}).encode())


def work() -> None:
    """What the worker does for devices, until nothing is left."""
    be_a_worker()
    ours = Job.objects.open().filter(kind__startswith="devices.")
    while (job := ours.order_by("pk").first()) is not None:
        jobs.run(job.kind, job.arguments)
        Job.objects.filter(pk=job.pk).delete()


def announcements(device: Device, user_key: str = "") -> list[Command]:
    """The commands that say: synchronize."""
    commands = Command.objects.filter(channel=channel(device, user_key))
    return list(commands.filter(request_type="DeclarativeManagement"))


def answer_commands() -> None:
    """The door takes answered ones out of the queue."""
    Command.objects.all().delete()
