"""What a device reports: the states of its declarations, its status, and the record of the device."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import ChannelStatus, DeclarationState, Device, Enrollment, Manifest, StatusReport
from devices.services import declaration_overview, declaration_status, declarations
from epmm import settings_store
from epmm.wire.errors import WireError
from tests.devices.declarations.rows import (
    PASSCODE,
    announcements,
    answer_commands,
    channel,
    iphone,
    report,
    set_of,
    switch_on,
    synchronize,
    work,
)
from tests.devices.services.rows import channel_of, device_of, enrolled
from tests.recorded import VECTORS

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone() -> Device:
    return iphone()


def told(device: Device) -> dict[str, Any]:
    items: dict[str, Any] = ChannelStatus.objects.get(channel=channel(device)).items
    return items


def states(device: Device) -> dict[tuple[str, str], str]:
    rows = DeclarationState.objects.filter(channel=channel(device))
    return {(row.identifier, row.server_token): row.meaning for row in rows}


def declared(*entries: dict[str, Any], kind: str = "configurations") -> dict[str, Any]:
    return {"management": {"declarations": {kind: list(entries)}}}


def entry(
    identifier: str, token: str = "1", *, active: bool = True, valid: str = "valid", **more: Any
) -> dict[str, Any]:
    return {"identifier": identifier, "server-token": token, "active": active, "valid": valid, **more}


def test_the_example_is_put_where_it_belongs(phone: Device) -> None:
    raw = (VECTORS / "examples/ddm-status-report.json").read_bytes()

    declaration_status.accept(channel(phone), raw)
    declaration_status.read_reports()

    assert bytes(StatusReport.objects.get().body) == raw
    assert told(phone)["passcode.is-compliant"] is True
    assert {identifier[:8]: meaning for (identifier, _), meaning in states(phone).items()} == {
        "4F9E1C5A": "applied",
        "C0FFEE00": "applied",
        "0B1C2D3E": "failed",
        "77777777": "applied",
    }
    phone.refresh_from_db()
    assert (phone.os_version, phone.passcode_is_compliant) == ("18.2", True)


def test_a_record_that_is_of_now_says_that_its_device_was_heard(phone: Device) -> None:
    Device.objects.update(last_seen_at=timezone.now() - timedelta(days=30))
    report(channel(phone), {"passcode": {"is-present": True}})

    phone.refresh_from_db()
    assert phone.last_seen_at is not None
    assert timezone.now() - phone.last_seen_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ({"valid": "valid", "active": True}, "applied"),
        ({"valid": "valid", "active": False}, "not activated"),
        ({"valid": "unknown", "active": True}, "pending"),
        ({"valid": "invalid", "active": False}, "failed"),
        ({"valid": "invalid", "active": True}, "failed"),
    ],
)
def test_a_state_in_one_word(phone: Device, said: dict[str, Any], meaning: str) -> None:
    report(channel(phone), declared(entry("p", **said)))

    assert states(phone) == {("p", "1"): meaning}


def test_old_and_new_version_stand_beside_each_other_until_the_old_is_gone(phone: Device) -> None:
    report(channel(phone), declared(entry("p", "1"), entry("p", "2", valid="unknown")))
    assert states(phone) == {("p", "1"): "applied", ("p", "2"): "pending"}

    report(channel(phone), declared(entry("p", "2")))

    assert states(phone) == {("p", "2"): "applied"}


def test_what_is_held_stands_though_it_is_not_repeated(phone: Device) -> None:
    held = synchronize(channel(phone))
    tokens = {name: held[name]["ServerToken"] for name in ("epmm.status", "epmm.organization")}
    report(channel(phone), declared(entry("epmm.status", tokens["epmm.status"])))
    report(
        channel(phone),
        declared(entry("epmm.organization", tokens["epmm.organization"], active=False), kind="management"),
    )
    assert set(states(phone).values()) == {"applied"}
    assert len(states(phone)) == 2

    report(channel(phone), {"passcode": {"is-present": True}})
    assert len(states(phone)) == 2
    report(channel(phone), declared({"identifier": "epmm.status", "_removed": True}))
    assert {name for name, _ in states(phone)} == {"epmm.organization"}
    report(channel(phone), FullReport=True)
    assert states(phone) == {}


def two_versions(phone: Device) -> list[str]:
    """Of one declaration, both listed in what the device was last served."""
    token = synchronize(channel(phone))["epmm.status"]["ServerToken"]
    manifest = Manifest.objects.get(pk=set_of(phone).served_token)
    manifest.items = [*manifest.items, ["configuration", "epmm.status", "another"]]
    manifest.save()
    report(channel(phone), declared(entry("epmm.status", token), entry("epmm.status", "another", valid="unknown")))
    assert len(states(phone)) == 2
    return [token, "another"]


def test_what_is_removed_without_its_version_is_removed_in_every_version(phone: Device) -> None:
    two_versions(phone)
    report(channel(phone), declared({"identifier": "epmm.status", "_removed": True}, kind="activations"))
    assert len(states(phone)) == 2

    report(channel(phone), declared({"identifier": "epmm.status", "_removed": True}))

    assert states(phone) == {}


def test_what_is_removed_with_its_version_leaves_the_other(phone: Device) -> None:
    old, new = two_versions(phone)

    report(channel(phone), declared({"identifier": "epmm.status", "server-token": old, "_removed": True}))

    assert states(phone) == {("epmm.status", new): "pending"}


def test_what_is_removed_and_told_in_one_report_stands(phone: Device) -> None:
    """The old version went, and the new one came."""
    _, new = two_versions(phone)

    report(channel(phone), declared({"identifier": "epmm.status", "_removed": True}, entry("epmm.status", new)))

    assert states(phone) == {("epmm.status", new): "applied"}


def test_a_repeated_state_writes_nothing(phone: Device) -> None:
    report(channel(phone), declared(entry("p", valid="invalid", reasons=[{"code": "Error.Unknown"}])))
    before = DeclarationState.objects.get()

    report(channel(phone), declared(entry("p", valid="invalid", reasons=[{"code": "Error.Unknown"}])))

    assert DeclarationState.objects.get().reported_at == before.reported_at
    report(channel(phone), declared(entry("p", valid="invalid", reasons=[{"code": "Error.InvalidPayload"}])))
    assert DeclarationState.objects.get().reasons == [{"code": "Error.InvalidPayload"}]


def test_reports_add_up_and_a_full_one_replaces(phone: Device) -> None:
    report(channel(phone), {"passcode": {"is-present": True}, "mdm": {"app": [{"identifier": "a"}]}})
    report(channel(phone), {"mdm": {"app": [{"identifier": "a", "_removed": True}]}}, Errors=[{"StatusItem": "x"}])
    status = ChannelStatus.objects.get()
    assert (status.items, status.errors, status.full_at) == (
        {"passcode.is-present": True, "mdm.app": []},
        {"x": []},
        None,
    )

    report(channel(phone), {"device": {"model": {"family": "iPhone"}}}, FullReport=True)

    status.refresh_from_db()
    assert (status.items, status.errors) == ({"device.model.family": "iPhone"}, {})
    assert status.full_at == status.reported_at


def test_what_grows_without_end_begins_anew(phone: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration_status, "MOST_BYTES", 100)
    report(channel(phone), {"a": "x" * 60})

    report(channel(phone), {"b": "y" * 60})

    assert told(phone) == {"b": "y" * 60}
    report(channel(phone), {"c": "z" * 120})
    assert told(phone) == {}


def test_errors_that_grow_without_end_begin_anew(phone: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration_status, "MOST_BYTES", 100)
    errors = [[{"StatusItem": name, "Reasons": [{"Code": name * 60}]}] for name in ("a", "b")]
    report(channel(phone), Errors=errors[0])

    report(channel(phone), Errors=errors[1])

    assert list(ChannelStatus.objects.get().errors) == ["b"]


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"StatusItems": 7}', b'{"StatusItems": {"a": NaN}}'])
def test_what_is_no_report_changes_nothing(phone: Device, raw: bytes) -> None:
    with pytest.raises(WireError):
        declaration_status.accept(channel(phone), raw)

    assert not StatusReport.objects.exists()
    assert not ChannelStatus.objects.exists()


def test_the_record_is_fed(phone: Device) -> None:
    items = {
        "device": {
            "operating-system": {"version": "18.3.1", "build-version": "22D72"},
            "model": {"identifier": "iPhone17,1"},
            "power": {"battery-health": "normal"},
        },
        "passcode": {"is-compliant": False},
        "softwareupdate": {"install-state": "downloading"},
    }
    report(channel(phone), items)
    report(channel(phone), {"softwareupdate": {"install-state": "prepared"}})

    phone.refresh_from_db()
    assert (phone.os_version, phone.os_version_number, phone.build_version) == ("18.3.1", 18_003_001, "22D72")
    assert (phone.product_name, phone.passcode_is_compliant) == ("iPhone17,1", False)
    assert phone.os_update_status == "prepared"
    assert phone.details["DeclarativeStatus"] == {"device.power.battery-health": "normal"}


def test_what_was_told_earlier_does_not_undo_a_newer_answer(phone: Device) -> None:
    report(channel(phone), {"device": {"operating-system": {"version": "18.2"}}})
    Device.objects.update(os_version="18.3")

    report(channel(phone), {"passcode": {"is-present": True}})

    phone.refresh_from_db()
    assert (phone.os_version, phone.passcode_present) == ("18.3", True)


def test_who_a_device_is_its_enrollment_says(phone: Device) -> None:
    report(channel(phone), {"device": {"identifier": {"serial-number": "ANOTHER", "udid": "ANOTHER"}}})

    phone.refresh_from_db()
    assert phone.serial_number == "S1"
    assert phone.details["DeclarativeStatus"] == {"SerialNumber": "ANOTHER", "UDID": "ANOTHER"}


def test_a_users_own_device_leaves_no_trace_of_who_it_is() -> None:
    own = iphone(kind=Enrollment.Kind.AAUE, serial_number="")

    report(channel(own), {"device": {"identifier": {"serial-number": "S", "udid": "U"}}})

    own.refresh_from_db()
    assert (own.serial_number, told(own), own.details) == ("", {}, {})


def test_a_user_of_a_mac_speaks_for_himself() -> None:
    enrollment = enrolled(platform=Device.Platform.MACOS, os_version="15.2")
    user = channel_of(enrollment, "user")
    switch_on(enrollment)

    report(user, {"device": {"operating-system": {"version": "9.9"}}, "passcode": {"is-present": True}})

    mac = device_of(enrollment)
    assert (mac.os_version, mac.passcode_present) == ("15.2", None)
    assert mac.details["users"]["user"]["DeclarativeStatus"]["os_version"] == "9.9"
    assert ChannelStatus.objects.get().channel == user


def test_a_report_of_an_ended_enrollment_feeds_nothing(phone: Device) -> None:
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    report(channel(phone), {"device": {"operating-system": {"version": "19.0"}}})

    phone.refresh_from_db()
    assert phone.os_version == "18.2"
    assert StatusReport.objects.get().is_read


def test_an_updated_system_changes_what_is_subscribed() -> None:
    old = iphone(os_version="15.1")
    before = set_of(old).token

    report(channel(old), {"device": {"operating-system": {"version": "18.2"}}})

    assert set_of(old).token != before
    assert len(announcements(old)) == 1


def test_an_administrator_sees_what_became_of_it(phone: Device) -> None:
    declarations.put("passcode", PASSCODE, {"MinimumLength": 6}, actor="anna")
    declarations.put("more", PASSCODE, {"MinimumLength": 7}, actor="anna")
    for name in ("passcode", "more"):
        declarations.assign(name, [phone], actor="anna")
    work()
    held = synchronize(channel(phone))
    why = [{"code": "Error.ConfigurationIsInvalid", "description": "too short"}, {"code": "Error.Unknown"}]
    report(channel(phone), declared(entry("passcode", held["passcode"]["ServerToken"], valid="invalid", reasons=why)))
    answer_commands()

    (shown,) = declaration_overview.of_device(phone)

    found = {each["identifier"]: (each["state"], each["why"]) for each in shown["declarations"]}
    assert (shown["user"], shown["switched_on"], shown["in_step"]) == ("", True, True)
    assert found["passcode"] == ("failed", "too short; Error.Unknown")
    assert found["more"] == ("not reported", "")


def test_a_report_costs_a_bounded_number_of_statements(phone: Device) -> None:
    def cost(size: int) -> int:
        entries = [entry(f"p{number}") for number in range(size)]
        raw = json.dumps({"StatusItems": declared(*entries), "Errors": []}).encode()
        settings_store.clear_cache()
        with CaptureQueriesContext(connection) as captured:
            declaration_status.accept(channel_of(phone.enrollments.get()), raw)
            declaration_status.read_reports()
        return len(captured)

    cost(1)

    assert cost(3) == cost(60) <= 32
