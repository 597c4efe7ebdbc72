"""What webhooks are told of a device's life, and what it costs where they are not."""

import json
from datetime import timedelta
from math import inf
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import CommandRow
from devices.protocol.commands import SecurityInfo
from devices.services import identity_expiry, queue, results
from enrollment import reasons
from enrollment.services import authorities, expiry_notices, figures
from enrollment.simulator.refusal import TurnedAway
from epmm import events, masking, options, settings_store, webhook_message, webhooks
from epmm.models import Event, Webhook
from tests.devices.services import rows
from tests.devices.services.rows import channel_of
from tests.flows.house import HOST, House, enrollment_of, record_of
from users.models import User

pytestmark = pytest.mark.django_db
ALL = [kind.name for kind in webhooks.choosable()]


def wanted(*kinds: str) -> Webhook:
    """Of a receiver that nobody is asked to reach: the events stay."""
    row = Webhook(name="SIEM", url="https://127.0.0.1/", kinds=list(kinds or ALL))
    webhooks.save(row, actor="test")
    Webhook.objects.update(rests_until=timezone.now() + timedelta(days=1))
    return row


def told(kind: str | None = None) -> list[dict[str, Any]]:
    found = Event.objects.order_by("pk")
    return [event.data for event in (found.filter(kind=kind) if kind else found)]


def kinds() -> list[str]:
    return list(Event.objects.exclude(kind="command.finished").order_by("pk").values_list("kind", flat=True))


def test_the_life_of_a_device(house: House, anna: User) -> None:
    wanted()
    device = house.enrolled()
    device.connect()
    house.work()
    record = record_of(device)

    assert kinds() == ["device.enrolled"]
    (enrolled,) = told("device.enrolled")
    assert enrolled["device"]["common.uuid"] == str(record.uuid)
    assert enrolled["device"]["common.status"] == "ACTIVE"
    assert enrolled["device"]["user.user_id"] == "anna"
    finished = [each["command"] for each in told("command.finished")]
    assert {"DeviceInformation", "SecurityInfo"} <= {command["request_type"] for command in finished}
    assert {command["state"] for command in finished} == {"ACKNOWLEDGED"}
    assert set(Event.objects.values_list("subject", flat=True)) == {str(record.uuid)}

    Event.objects.all().delete()
    waiting = queue.queue(channel_of(enrollment_of(device)), SecurityInfo())
    device.check_out()

    assert kinds() == ["device.checked_out", "device.retired"]
    (retired,) = told("device.retired")
    assert retired["device"]["common.retired_reason"] == "user removed management"
    cancelled = {each["command"]["uuid"]: each["command"]["state"] for each in told("command.finished")}
    assert cancelled[str(waiting.uuid).upper()] == "CANCELLED"


def test_a_device_that_cannot_do_it_says_why() -> None:
    wanted("command.finished")
    row = rows.command(rows.channel_of(rows.enrolled()), "SecurityInfo")
    chain = [{"ErrorCode": 12021, "ErrorDomain": "MCMDMErrorDomain", "USEnglishDescription": "Not supported."}]
    rows.answered(row, CommandRow.State.ERROR, ErrorChain=chain)

    results.read_results()

    (data,) = told()
    assert data["command"]["state"] == "ERROR"
    assert data["command"]["error"] == {"code": 12021, "domain": "MCMDMErrorDomain", "text": "Not supported."}


def test_a_refused_attempt_is_told_each_time(house: House, anna: User) -> None:
    wanted("enrollment.failed")
    device = house.device()
    device.discover()
    device.request_challenge()

    for _ in range(2):
        with pytest.raises(TurnedAway):
            device.sign_in(password="a wrong horse")

    data, again = told()
    assert again["attempt"]["id"] == data["attempt"]["id"]
    attempt = data["attempt"]
    assert (attempt["identifier"], attempt["step"], attempt["code"]) == (
        f"anna@{HOST}",
        "credentials",
        reasons.WRONG_CREDENTIALS.code,
    )
    assert attempt["advice"]
    assert "reference" not in attempt


def test_certificates_that_end_are_told_of_once() -> None:
    wanted("certificate.expiring")
    now = timezone.now()
    authorities.forget_cached()  # another test may have had one
    authorities.device_ca()
    for days in (10, 100):
        enrollment = rows.enrolled(udid=f"UDID-{days}")
        enrollment.identities.update(not_after=now + timedelta(days=days))
    end = dict(figures.ends())["device_ca"]
    assert end is not None

    for _ in range(2):
        identity_expiry.warn(now)
        expiry_notices.warn(end - timedelta(days=20))
    expiry_notices.warn(end - timedelta(days=5))

    assert [(each["certificate"]["name"], each["certificate"]["days_left"]) for each in told()] == [
        ("device", 10),
        ("device_ca", 20),
        ("device_ca", 5),
    ]
    assert [each["device"] is None for each in told()] == [False, True, True]


def read_some(number: int) -> int:
    """How many statements the reading of so many answers of one device takes."""
    channel = rows.channel_of(rows.enrolled(udid=uuid4().hex))
    for _ in range(number):
        rows.answered(rows.command(channel, "SecurityInfo"))
    settings_store.read(options.WEBHOOK_LOG_DAYS)  # as each process does once a second
    settings_store._cache._until = inf  # which is not now
    with CaptureQueriesContext(connection) as statements:
        results.read_results()
    return len(statements)


def test_what_nobody_wants_costs_no_statement_and_what_somebody_wants_two_however_many_they_are() -> None:
    none = read_some(5)
    wanted("device.enrolled")
    assert read_some(5) == none

    Webhook.objects.all().delete()
    wanted("command.finished")
    few = read_some(5)
    assert few == none + 2
    assert read_some(20) - few == read_without(20) - none


def read_without(number: int) -> int:
    Webhook.objects.update(is_enabled=False)
    events.remember_wanted()
    return read_some(number)


def test_what_is_personal_is_known_by_its_name(house: House, anna: User) -> None:
    row = wanted("device.enrolled")
    row.hidden_fields = list(masking.FIELDS)
    house.enrolled()

    content = webhook_message.body(Event.objects.get(), row.hidden_fields).decode()

    device = json.loads(content)["device"]
    assert device["user.display_name"] == device["ios.managed_apple_id"] == "*****"
    assert "anna" not in content
    assert device["common.SerialNumber"] == ""
