"""A worker that works when it is told to, and devices that answer what a story needs."""

import plistlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from devices import tasks  # noqa: F401 - registers the handlers
from devices.models import (
    Command,
    Configuration,
    ConfigurationAssignment,
    ConfigurationDelivery,
    Enrollment,
    Result,
)
from devices.services import configuration_delivery, configuration_plan, configurations, results
from epmm import jobs
from epmm.models import Job
from tests.devices.configuration.profiles import profile, uuid
from tests.devices.services.rows import channel_of, command, device_of

State = ConfigurationDelivery.State
ACKNOWLEDGED, ERROR, FORMAT_ERROR = Command.State.ACKNOWLEDGED, Command.State.ERROR, Command.State.FORMAT_ERROR


def work() -> None:
    for job in Job.objects.filter(done_at=None, kind__startswith="devices.plan_").order_by("pk"):
        jobs.run(job.kind, job.arguments)
    Job.objects.filter(kind__startswith="devices.plan_").update(done_at=timezone.now())
    configuration_delivery.deliver_all_due()


def uploaded(*payloads: dict[str, Any], **keys: Any) -> Configuration:
    return configurations.upload(profile(*payloads, **keys), actor="anna").configuration


def assigned(enrollment: Enrollment, *payloads: dict[str, Any], **keys: Any) -> Configuration:
    configuration = uploaded(*payloads, **keys)
    # past the check of `assign`: what a label would do
    ConfigurationAssignment.objects.create(configuration=configuration, device=device_of(enrollment))
    configuration_plan.plan_device(enrollment.device_id or 0)
    work()
    return configuration


def applied(enrollment: Enrollment, *payloads: dict[str, Any], **keys: Any) -> Configuration:
    configuration = assigned(enrollment, *payloads, **keys)
    answer(enrollment)
    return configuration


def delivery_of(enrollment: Enrollment) -> ConfigurationDelivery:
    return ConfigurationDelivery.objects.with_sent().get(channel__enrollment=enrollment)


def open_commands(enrollment: Enrollment) -> list[str]:
    rows = Command.objects.filter(channel__enrollment=enrollment).order_by("pk")
    return list(rows.values_list("request_type", flat=True))


def installed_profile(row: Command) -> bytes:
    content: bytes = plistlib.loads(row.rendered)["Command"]["Payload"]
    return content


def answer(
    enrollment: Enrollment,
    state: Command.State = ACKNOWLEDGED,
    *,
    user_key: str = "",
    at: datetime | None = None,
    **keys: Any,
) -> None:
    """To the oldest open command, and the worker reads and goes on."""
    channel = channel_of(enrollment, user_key)
    row = Command.objects.filter(channel=channel).earliest("pk")
    reply(row, state, at, **keys)
    work()


def reply(row: Command, state: Command.State, at: datetime | None, **keys: Any) -> None:
    body = plistlib.dumps({"CommandUUID": str(row.uuid).upper(), "Status": state.name.title(), **keys})
    Result.of(row, state, at or timezone.now(), body).save(force_insert=True)
    Command.objects.filter(pk=row.pk).delete()
    results.read_results()


def refuse(enrollment: Enrollment, state: Command.State = ERROR, text: str = "Invalid profile") -> None:
    link = {"ErrorCode": 4001, "ErrorDomain": "MCInstallationErrorDomain", "USEnglishDescription": text}
    answer(enrollment, state, ErrorChain=[link])


def list_profiles(
    enrollment: Enrollment, installed: Iterable[dict[str, Any]], *, user_key: str = "", at: datetime | None = None
) -> None:
    """The device says what it has."""
    channel = channel_of(enrollment, user_key)
    Command.objects.filter(channel=channel, request_type="ProfileList").delete()
    row = command(channel, "ProfileList")
    reply(row, ACKNOWLEDGED, at, ProfileList=list(installed))
    work()


def item(configuration: Configuration, *, edition: int = 1, **keys: Any) -> dict[str, Any]:
    identifier = configuration.identifier
    return {"PayloadIdentifier": identifier, "PayloadUUID": uuid(identifier, edition, 0), **keys}


def let_time_pass(pause: timedelta) -> None:
    """What was put off for as long is due."""
    rows = ConfigurationDelivery.objects.filter(due_at__lte=timezone.now() + pause)
    rows.update(due_at=timezone.now())
    work()
