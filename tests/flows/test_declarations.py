"""Declarations, from the administrator's command to the device and back into the record."""

from dataclasses import replace

import pytest

from devices.models import ChannelStatus, Declaration
from devices.services import declarations, send
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from tests.devices.configuration.profiles import profile
from tests.flows.house import House, record_of
from users.models import User

PASSCODE = "com.apple.configuration.passcode.settings"
PROFILE = profile()


def in_step(house: House, family: Family = Family.IPHONE) -> SimulatedDevice:
    """Enrolled, and everything done that this brought with it."""
    device = house.enrolled(family)
    settle(house, device)
    return device


def settle(house: House, device: SimulatedDevice) -> None:
    for _ in range(3):
        house.work()
        for channel in device.membership.channels:
            device.connect(channel)


def give(house: House, device: SimulatedDevice, row: Declaration) -> None:
    declarations.assign(row.identifier, [record_of(device)], actor="test")
    settle(house, device)


def states(device: SimulatedDevice) -> dict[str, str]:
    enrollment = record_of(device).enrollments.get()
    rows = enrollment.channels.get(user_key="").declaration_states.all()
    return {row.identifier: row.meaning for row in rows if not row.identifier.startswith("epmm.")}


@pytest.mark.parametrize("family", list(Family))
def test_every_family_holds_and_reports(house: House, anna: User, family: Family) -> None:
    device = in_step(house, family)
    give(house, device, declarations.put("passcode", PASSCODE, {"MinimumLength": 6}, actor="test"))

    held = device.declarations[Channel.DEVICE].held
    assert held["configuration", "passcode"]["Payload"] == {"MinimumLength": 6}
    assert states(device) == {"passcode": "applied"}
    if family.is_mac:
        assert ("configuration", "passcode") not in device.declarations[Channel.USER].held
        assert ("configuration", "epmm.status") in device.declarations[Channel.USER].held


def test_a_device_keeps_up_with_changes_and_forgets_what_is_gone(house: House, anna: User) -> None:
    device = in_step(house)
    give(house, device, declarations.put("passcode", PASSCODE, {"MinimumLength": 6}, actor="test"))

    declarations.put("passcode", PASSCODE, {"MinimumLength": 8}, actor="test")
    settle(house, device)
    held = device.declarations[Channel.DEVICE].held
    assert held["configuration", "passcode"]["Payload"] == {"MinimumLength": 8}
    assert states(device) == {"passcode": "applied"}

    declarations.remove("passcode", actor="test")
    settle(house, device)
    assert ("configuration", "passcode") not in held
    assert states(device) == {}
    assert device.connect() == []


def test_a_predicate_decides(house: House, anna: User) -> None:
    device = in_step(house)
    predicate = "(@status(device.model.family) == '{}')"
    for name, family in (("phones", "iPhone"), ("macs", "Mac")):
        row = declarations.put(name, PASSCODE, {"MinimumLength": 6}, predicate=predicate.format(family), actor="test")
        give(house, device, row)

    assert states(device) == {"phones": "applied", "macs": "not activated"}


def test_a_profile_is_downloaded_from_its_address(house: House, anna: User) -> None:
    device = in_step(house)
    give(house, device, declarations.put("wifi", "com.apple.configuration.legacy", profile=PROFILE, actor="test"))

    assert device.declarations[Channel.DEVICE].profiles == {"wifi": PROFILE}
    assert states(device) == {"wifi": "applied"}


def test_an_update_is_enforced_and_its_progress_read(house: House, anna: User) -> None:
    device = in_step(house)
    declarations.enforce_update(record_of(device), version="18.3", by="2026-12-01T20:00:00", actor="test")
    settle(house, device)
    held = device.declarations[Channel.DEVICE].held.values()
    assert [each["Payload"]["TargetOSVersion"] for each in held if each["Type"].endswith(".specific")] == ["18.3"]

    device.declarations[Channel.DEVICE].changed["softwareupdate.install-state"] = "installing"
    device.report_status()
    house.work()
    assert record_of(device).os_update_status == "installing"

    device.hardware = replace(device.hardware, model=replace(device.hardware.model, os_version="18.3", build="22D63"))
    device.report_status()
    house.work()
    record = record_of(device)
    assert (record.os_version, record.build_version) == ("18.3", "22D63")


def test_apps_that_come_and_go_do_so_in_the_inventory(house: House, anna: User) -> None:
    """Nobody asks for it: the device reports."""
    device = in_step(house)

    def apps() -> list[tuple[str, str]]:
        rows = record_of(device).managed_applications.order_by("identifier")
        assert [entry["identifier"] for entry in ChannelStatus.objects.get().items["mdm.app"]] == [
            row.identifier for row in rows
        ]
        return [(row.identifier, row.state) for row in rows]

    def report(*, full: bool = False) -> None:
        device.report_status(full=full)
        house.work()

    assert apps() == []
    install = send.prepare(record_of(device), "InstallApplication", payload={"Identifier": "org.example.reader"})
    send.send(install, actor="test")
    device.connect()
    report()
    assert apps() == [("org.example.reader", "Managed")]
    assert record_of(device).applications.get(identifier="org.example.reader").short_version == "1.0"

    device.declarations[Channel.DEVICE].changed["mdm.app"] = [{"identifier": "com.apple.Pages", "state": "updating"}]
    report()
    assert apps() == [("com.apple.Pages", "Updating")]

    device.declarations[Channel.DEVICE].changed.clear()
    report(full=True)
    assert apps() == [("org.example.reader", "Managed")]


def test_a_device_that_cannot_is_sent_nothing_of_the_kind(house: House, anna: User) -> None:
    device = house.enrolled()
    device.declarations[Channel.DEVICE].supported -= {PASSCODE}
    settle(house, device)

    declarations.put("passcode", PASSCODE, {"MinimumLength": 6}, actor="test")
    with pytest.raises(declarations.DeclarationRefused, match="not supported by this device"):
        declarations.assign("passcode", [record_of(device)], actor="test")

    assert states(device) == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a":1,"a":1}', b'{"StatusItems":{"a":NaN}}', b"[" * 90_000])
def test_a_report_that_is_none_is_a_400(house: House, anna: User, data: bytes) -> None:
    device = in_step(house)
    before = ChannelStatus.objects.get().items

    assert device.declarative("status", data).status_code == 400

    assert ChannelStatus.objects.get().items == before


def test_a_device_comes_back_to_what_was_assigned_to_it(house: House, anna: User) -> None:
    device = in_step(house)
    give(house, device, declarations.put("passcode", PASSCODE, {"MinimumLength": 6}, actor="test"))
    device.check_out()
    house.work()

    device.enroll(password="correct horse battery")
    settle(house, device)

    assert ("configuration", "passcode") in device.declarations[Channel.DEVICE].held
