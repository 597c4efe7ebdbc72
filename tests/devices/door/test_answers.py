"""From exception to answer, and what is written about it."""

import json
import logging
import plistlib

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection

from devices.door.exchange import JSON, Answer
from devices.errors import DeclarationGone, DeviceRefused, UnrecognizedDevice, UserNotManaged
from devices.models import Command, Payload
from epmm.wire.errors import WireError
from tests.devices.door.fakes import FakeDevice

CHECK_OUT = {"MessageType": "CheckOut", "Note": "SECRET-IN-BODY"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (WireError("Topic: expected str"), 400),
        (DeviceRefused("another device"), 403),
        (DeclarationGone(), 404),
        (UserNotManaged(), 410),
        (OperationalError("the database is away"), 503),
        (InterfaceError("connection already closed"), 503),
        (TimeoutError(), 503),
        (IntegrityError("a mistake of ours"), 500),
        (KeyError("a mistake of ours"), 500),
    ],
)
def test_each_reason_has_its_status_and_no_body(device: FakeDevice, error: Exception, status: int) -> None:
    device.site.handlers.answer = error
    reply = device.send(CHECK_OUT)

    assert (reply.status, reply.body, reply.headers["content-length"]) == (status, b"", "0")
    assert ("retry-after" in reply.headers) == (status == 503)


def test_a_command_that_cannot_be_opened_is_a_fault_of_ours(device: FakeDevice) -> None:
    device.queue()
    sealed = Payload._meta.get_field("rendered").column
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Payload._meta.db_table} SET {sealed} = %s", [b"nokey:rubbish"])

    assert device.idle().status == 500
    Command.objects.all().delete()
    assert device.idle().status == 200


def test_a_device_is_let_go_in_apples_words(device: FakeDevice) -> None:
    device.site.handlers.answer = UnrecognizedDevice()
    reply = device.send(CHECK_OUT)

    assert (reply.status, reply.headers["content-type"]) == (403, JSON)
    assert json.loads(reply.body)["code"] == "com.apple.unrecognized.device"


def test_a_device_that_prefers_xml_is_let_go_in_xml(device: FakeDevice) -> None:
    device.site.handlers.answer = UnrecognizedDevice()
    body = device.message(CHECK_OUT)
    reply = device.site.put(body, device.headers(body) | {"Accept": "application/xml"})

    assert plistlib.loads(reply.body)["code"] == "com.apple.unrecognized.device"


def test_an_answer_passes_as_it_is(device: FakeDevice) -> None:
    device.site.handlers.answer = Answer(body=b'{"SyncTokens":{}}', content_type=JSON)
    reply = device.send({"MessageType": "DeclarativeManagement", "Endpoint": "tokens"}, path="/mdm/checkin")

    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b'{"SyncTokens":{}}', JSON)


def test_an_empty_answer_is_zero_bytes(device: FakeDevice) -> None:
    assert device.send(CHECK_OUT).command is None


@pytest.mark.parametrize("path", ["/mdm/checkin", "/mdm/connect"])
def test_a_check_in_may_come_to_either_url(device: FakeDevice, path: str) -> None:
    assert device.send(CHECK_OUT, path=path).status == 200
    assert len(device.site.handlers.checked_in) == 1


def test_a_handler_cannot_answer_401(device: FakeDevice) -> None:
    device.site.handlers.answer = Answer(status=401)

    assert device.send(CHECK_OUT).status == 500


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PATCH"])
def test_only_put_is_known(device: FakeDevice, method: str) -> None:
    reply = device.site.put(b"", {}, method=method)

    assert (reply.status, reply.headers["allow"]) == (405, "PUT")


@pytest.mark.parametrize("path", ["/mdm", "/mdm/", "/mdm/connect/", "/mdm/checkin/x", "/mdm/Connect", "/mdm//connect"])
def test_there_are_two_paths(device: FakeDevice, path: str) -> None:
    body = device.message({"Status": "Idle"})

    assert device.site.put(body, device.headers(body), path=path).status == 404


@pytest.mark.parametrize("body", [b"", b"{}", b"<plist><dict/></plist>", b"<plist><array/></plist>", b"\xff" * 100])
def test_what_is_no_message_is_malformed(device: FakeDevice, body: bytes) -> None:
    assert device.site.put(body, device.headers(body)).status == 400


def test_one_line_for_each_request_and_no_secret_in_it(device: FakeDevice, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "devices.door.app")
    device.idle()
    device.site.handlers.answer = DeviceRefused("another device")
    device.send(CHECK_OUT)
    device.site.put(b"", {}, path="/mdm/%0A200%20forged", method="PROPFIND")

    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" ms")[0].rsplit(" ", 1)[0] for line in lines] == [
        "PUT /mdm/connect 200",
        "PUT /mdm/connect 403",
        "not PUT elsewhere 404",
    ]
    assert lines[1].endswith("(DeviceRefused: another device)")
    assert not [line for line in lines if device.udid in line or device.bearer in line]  # type: ignore[operator] # it has one


def test_what_nobody_foresaw_is_logged_with_its_trace_and_without_the_body(
    device: FakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    device.site.handlers.answer = KeyError("a mistake of ours")
    device.send(CHECK_OUT)

    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert "SECRET-IN-BODY" not in caplog.text
