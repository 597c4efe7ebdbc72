"""What a device asks about its declarations, by the store and by the handlers: both answer alike, and note the same."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from devices.door.app import Door
from devices.door.exchange import Answer, DeviceRequest
from devices.door.store import stores_for
from devices.door.sync import LARGEST_REPORT
from devices.models import DeclarationContent, DeclarationSet, Device, Enrollment, Identity, Manifest, StatusReport
from devices.models.declaration import OFFER_STANDS
from devices.models.status_report import MOST_UNREAD
from enrollment.checkin import CheckinHandlers
from tests import pki
from tests.devices.declarations.rows import work
from tests.devices.declarations.test_sets import put
from tests.devices.door.fakes import PROXY, FakeDevice, RecordingHandlers, Reply, Site

REPORT = b'{"StatusItems": {"device": {"model": {"family": "iPhone"}}}, "Errors": []}'


class Remembering(CheckinHandlers):
    def __init__(self) -> None:
        self.checked_in: list[DeviceRequest] = []

    def check_in(self, request: DeviceRequest) -> Answer:
        self.checked_in.append(request)
        return super().check_in(request)


@pytest.fixture
def handlers() -> Remembering:
    return Remembering()


@pytest.fixture(params=[True, False], ids=["by the store", "by the handlers"])
def site(
    request: pytest.FixtureRequest,
    transactional_db: None,
    settings: Settings,
    runner: asyncio.Runner,
    handlers: Remembering,
) -> Iterator[Site]:
    settings.TRUSTED_PROXIES = [PROXY]
    door = Door(handlers=handlers, stores=stores_for(connection.settings_dict))
    runner.run(door.open())
    yield Site(runner, door, RecordingHandlers(), is_direct=request.param)
    runner.run(door.close())


@pytest.fixture
def phone(record: Device, site: Site) -> FakeDevice:
    return fake(record, site)


def fake(record: Device, site: Site) -> FakeDevice:
    enrollment = record.enrollments.get()
    enrollment.identities.all().delete()
    device = FakeDevice(site, pki.issue(record.udid), record.udid, enrollment, bearer=None)
    device.pin()
    return device


def ask(device: FakeDevice, endpoint: str, data: bytes | None = None) -> Reply:
    keys: dict[str, Any] = {"MessageType": "DeclarativeManagement", "Endpoint": endpoint}
    return device.send(keys | ({} if data is None else {"Data": data}), path="/mdm/checkin")


def asked(device: FakeDevice, endpoint: str) -> dict[str, Any]:
    reply = ask(device, endpoint)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    told: dict[str, Any] = json.loads(reply.body)
    return told


def token_of(device: FakeDevice) -> str:
    token: str = asked(device, "tokens")["SyncTokens"]["DeclarationsToken"]
    return token


def set_of(device: FakeDevice) -> DeclarationSet:
    return DeclarationSet.objects.get(channel=device.channel)


def only_the_store(device: FakeDevice, handlers: Remembering) -> bool:
    """Nobody but it, where it may."""
    return device.site.is_direct == (not handlers.checked_in)


def test_a_change_is_fetched(phone: FakeDevice, handlers: Remembering) -> None:
    before, began = set_of(phone), timezone.now()
    assert before.token != before.served_token

    tokens = asked(phone, "tokens")["SyncTokens"]
    assert tokens == {
        "DeclarationsToken": before.token,
        "Timestamp": before.changed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    offered = set_of(phone)
    assert offered.offered_token == before.token
    assert offered.offered_at == offered.heard_at
    assert offered.offered_at is not None
    assert offered.offered_at >= began

    manifest = asked(phone, "declaration-items")
    assert manifest["DeclarationsToken"] == before.token
    assert manifest["Declarations"].keys() == {"Activations", "Assets", "Configurations", "Management"}
    served = set_of(phone)
    assert (served.served_token, served.offered_token) == (before.token, "")
    assert phone.channel.last_seen_at is not None
    assert phone.channel.last_seen_at >= offered.offered_at

    (item,) = [each for each in manifest["Declarations"]["Configurations"] if each["Identifier"] == "passcode"]
    declaration = asked(phone, "declaration/configuration/passcode")
    assert (declaration["ServerToken"], declaration["Payload"]) == (item["ServerToken"], {"MinimumLength": 6})
    assert only_the_store(phone, handlers)


def test_who_holds_it_all_is_offered_nothing(phone: FakeDevice) -> None:
    token_of(phone)
    asked(phone, "declaration-items")

    assert token_of(phone) == set_of(phone).served_token
    assert set_of(phone).offered_token == ""


def test_what_was_offered_is_served_for_a_while(phone: FakeDevice) -> None:
    offered = token_of(phone)
    put(payload={"MinimumLength": 8})
    work()
    assert set_of(phone).token != offered

    assert asked(phone, "declaration-items")["DeclarationsToken"] == offered
    assert asked(phone, "declaration/configuration/passcode")["Payload"] == {"MinimumLength": 6}
    assert asked(phone, "declaration-items")["DeclarationsToken"] == set_of(phone).token
    assert asked(phone, "declaration/configuration/passcode")["Payload"] == {"MinimumLength": 8}


def test_an_offer_does_not_stand_for_ever(phone: FakeDevice) -> None:
    offered = token_of(phone)
    put(payload={"MinimumLength": 8})
    work()
    DeclarationSet.objects.update(offered_at=timezone.now() - OFFER_STANDS - timedelta(seconds=1))

    assert asked(phone, "declaration-items")["DeclarationsToken"] == set_of(phone).token != offered


@pytest.mark.parametrize("endpoint", ["declaration/configuration/other", "declaration/asset/passcode"])
def test_what_it_does_not_hold_is_not_there(phone: FakeDevice, endpoint: str) -> None:
    asked(phone, "declaration-items")

    assert ask(phone, endpoint).status == 404


@pytest.mark.parametrize("endpoint", ["declaration/else/passcode", "declaration", "all", "", "x" * 256])
def test_an_endpoint_that_apple_does_not_know_is_refused(phone: FakeDevice, endpoint: str) -> None:
    assert ask(phone, endpoint).status == 400


def test_a_report_is_kept_for_the_worker(phone: FakeDevice, handlers: Remembering) -> None:
    began = timezone.now()
    reply = ask(phone, "status", REPORT)

    assert (reply.status, reply.body) == (200, b"")
    kept = StatusReport.objects.get()
    assert (kept.channel, bytes(kept.body), kept.is_read) == (phone.channel, REPORT, False)
    assert kept.came_at is not None
    assert began <= kept.came_at <= kept.received_at + timedelta(seconds=1)
    heard_at = set_of(phone).heard_at
    assert heard_at is not None
    assert heard_at >= began
    assert only_the_store(phone, handlers)


@pytest.mark.parametrize("data", [None, b"", b"[]", b"{", b'{"a":1,"a":1}', b'{"StatusItems":{"a":NaN}}', b"\xff"])
def test_what_is_no_report_changes_nothing(phone: FakeDevice, data: bytes | None) -> None:
    before = set_of(phone).heard_at

    assert ask(phone, "status", data).status == 400
    assert not StatusReport.objects.exists()
    assert set_of(phone).heard_at == before


def test_no_channel_fills_the_database(phone: FakeDevice) -> None:
    """The worker is away, say.  The device comes again."""
    StatusReport.objects.bulk_create(StatusReport(channel=phone.channel, body=REPORT) for _ in range(MOST_UNREAD))

    assert ask(phone, "status", REPORT).status == 503
    StatusReport.objects.filter(pk=StatusReport.objects.latest("pk").pk).update(is_read=True)
    assert ask(phone, "status", REPORT).status == 200
    assert StatusReport.objects.unread().count() == MOST_UNREAD


def test_what_comes_along_is_passed_over(phone: FakeDevice) -> None:
    assert ask(phone, "tokens", b"").status == ask(phone, "declaration-items", b"x").status == 200


def test_a_long_report_is_left_to_the_handlers(phone: FakeDevice, handlers: Remembering) -> None:
    report = REPORT.replace(b"iPhone", b"x" * LARGEST_REPORT)

    assert ask(phone, "status", report).status == 200
    assert bytes(StatusReport.objects.get().body) == report
    assert handlers.checked_in


@pytest.mark.parametrize("data", [REPORT.replace(b"iPhone", b"x" * LARGEST_REPORT), b"{", None])
def test_nothing_long_or_wrong_is_read_for_a_stranger(
    phone: FakeDevice, handlers: Remembering, data: bytes | None
) -> None:
    phone.enrollment.identities.all().delete()

    assert ask(phone, "status", data).status == 403
    assert not handlers.checked_in


def test_who_has_left_is_let_go_whatever_it_says(phone: FakeDevice) -> None:
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    for data in (REPORT, b"{"):
        reply = ask(phone, "status", data)
        assert (reply.status, json.loads(reply.body)["code"]) == (403, "com.apple.unrecognized.device")


def test_a_fault_of_ours_is_told(phone: FakeDevice) -> None:
    Manifest.objects.update(items=[["kind of a later release", "x", "y"]])

    assert ask(phone, "declaration-items").status == 500


def test_the_log_tells_what_was_asked(phone: FakeDevice, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "devices.door.app")
    token_of(phone)
    asked(phone, "declaration-items")
    asked(phone, "declaration/configuration/passcode")
    ask(phone, "status", REPORT)

    told = [record.endpoint for record in caplog.records if hasattr(record, "endpoint")]
    assert told == ["tokens", "declaration-items", "declaration", "status"]


@pytest.mark.parametrize("endpoint", ["tokens", "declaration-items", "declaration/configuration/passcode", "status"])
def test_whoever_may_not_learns_nothing(phone: FakeDevice, endpoint: str) -> None:
    before = set_of(phone)
    data = REPORT if endpoint == "status" else None
    Identity.objects.filter(enrollment=phone.enrollment).update(state=Identity.State.REVOKED)

    reply = ask(phone, endpoint, data)
    assert (reply.status, reply.body) == (403, b"")
    phone.udid = "another device"
    assert ask(phone, endpoint, data).status == 403
    assert not StatusReport.objects.exists()
    after = set_of(phone)
    assert (after.served_token, after.heard_at) == (before.served_token, before.heard_at)


def test_another_persons_bearer_is_refused_and_its_own_is_not(phone: FakeDevice) -> None:
    """A dead one of its own does no harm: the store does not know it, and the handlers do."""
    phone.bearer = "of nobody any more"

    assert token_of(phone) == set_of(phone).token


def test_the_user_of_a_mac_has_declarations_of_its_own(phone: FakeDevice) -> None:
    user = phone.user("A1B2C3D4-0000-0000-0000-000000000001")

    assert token_of(user) == set_of(user).token != token_of(phone)


def test_a_channel_without_a_set_gets_one(phone: FakeDevice, handlers: Remembering) -> None:
    DeclarationSet.objects.all().delete()

    assert token_of(phone) == set_of(phone).token
    assert handlers.checked_in


def test_a_set_whose_manifest_is_gone_is_made_again(phone: FakeDevice, handlers: Remembering) -> None:
    Manifest.objects.all().delete()

    token = asked(phone, "declaration-items")["DeclarationsToken"]
    assert token == set_of(phone).served_token
    assert Manifest.objects.filter(pk=token).exists()
    assert handlers.checked_in


def test_a_declaration_whose_words_are_gone_is_gone(phone: FakeDevice) -> None:
    asked(phone, "declaration-items")
    DeclarationContent.objects.all().delete()

    assert ask(phone, "declaration/configuration/passcode").status == 404
