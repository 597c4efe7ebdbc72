"""Commands and what devices answer, through the real door and back into the record."""

import plistlib
from typing import Any
from uuid import uuid4

import pytest

from devices.models import Channel as ChannelRow
from devices.models import Command, Device, Enrollment, FinishedCommand, Result
from devices.protocol.commands import AnyRequest, DeviceInformation, Request, SecurityInfo
from devices.services import queue, secrets, send
from enrollment.simulator.device import Executed, SimulatedDevice
from enrollment.simulator.failures import CommandFailed, CommandFormatError
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from tests.flows.house import House, enrollment_of, record_of, states
from tests.flows.rows import changed, rows
from users.models import User

State = Command.State


def queued(device: SimulatedDevice, request: Request, channel: Channel = Channel.DEVICE) -> Command:
    row = ChannelRow.objects.get(
        enrollment=enrollment_of(device), user_key=device.membership.user_id if channel is Channel.USER else ""
    )
    return queue.queue(row, request)


def said(executed: list[Executed]) -> list[tuple[str, str]]:
    return [(item.request_type, item.status) for item in executed]


def test_what_has_to_wait_is_passed_over_and_offered_in_the_next_session(house: House, anna: User) -> None:
    device = house.enrolled()
    device.not_now = {"SecurityInfo", "CertificateList"}

    assert said(device.connect()) == [
        ("DeviceInformation", "Acknowledged"),
        ("SecurityInfo", "NotNow"),
        ("InstalledApplicationList", "Acknowledged"),
        ("ProfileList", "Acknowledged"),
        ("CertificateList", "NotNow"),
    ]
    assert said(device.connect()) == [("SecurityInfo", "NotNow"), ("CertificateList", "NotNow")]

    assert Command.objects.get(request_type="SecurityInfo").not_now_count == 2
    device.not_now = set()
    assert said(device.connect()) == [("SecurityInfo", "Acknowledged"), ("CertificateList", "Acknowledged")]
    assert device.connect() == []
    assert {state for _, state in states(device)} == {State.ACKNOWLEDGED}


def test_an_error_is_an_answer(house: House, anna: User) -> None:
    device = house.enrolled()

    def fail(_: object) -> dict[str, object]:
        raise CommandFailed("MCMDMErrorDomain", 12021, "The request type is not supported.")

    def misread(_: object) -> dict[str, object]:
        raise CommandFormatError

    device.answers = {"SecurityInfo": fail, "ProfileList": misread}
    device.connect()
    house.work()

    found = dict(states(device))
    assert (found["SecurityInfo"], found["ProfileList"]) == (State.ERROR, State.FORMAT_ERROR)
    assert list(found.values()).count(State.ACKNOWLEDGED) == 3
    assert not Result.objects.exists()
    failed = FinishedCommand.objects.get(state=State.ERROR)
    assert failed.body is not None
    assert plistlib.loads(failed.body)["ErrorChain"][0]["ErrorCode"] == 12021
    record = record_of(device)
    assert (record.status, record.inventory_at is not None, record.profiles.count()) == (Device.Status.ACTIVE, True, 0)
    assert said(device.connect()) == [("DeclarativeManagement", "Acknowledged")]  # neither is offered again


@pytest.mark.parametrize("status", ["Acknowledged", "Error", "CommandFormatError", "NotNow"])
def test_a_result_of_an_unknown_command_is_passed_over(house: House, anna: User, status: str) -> None:
    device = house.enrolled()
    before = rows()

    response = device.send_status(status, CommandUUID=str(uuid4()))

    assert response.status_code == 200
    assert plistlib.loads(response.content)["Command"]["RequestType"] == "DeviceInformation"
    assert changed(before, rows()) == {"Command"}  # the next one is noted as offered
    assert not Result.objects.exists()


def test_a_result_that_comes_again_changes_nothing(house: House, anna: User) -> None:
    device = house.enrolled()
    device.connect()
    house.work()
    while device.connect():
        pass
    first = FinishedCommand.objects.earliest("pk")
    before = rows()

    for status in ("Error", "NotNow", "Acknowledged"):
        assert device.send_status(status, CommandUUID=str(first.uuid)).content == b""

    assert changed(before, rows()) == set()


def test_a_result_of_another_devices_command_is_nobodys(house: House, anna: User) -> None:
    device, other = house.enrolled(), house.enrolled()
    other.connect()
    command = Command.objects.filter(channel__enrollment=enrollment_of(device)).earliest("pk")
    before = rows()

    assert other.send_status("Acknowledged", CommandUUID=str(command.uuid)).content == b""

    assert changed(before, rows()) == set()
    assert len(device.connect()) == 5


def sent(device: SimulatedDevice, request_type: str, **payload: Any) -> None:
    """As an administrator sends it."""
    order = send.prepare(record_of(device), request_type, payload=payload or None)
    send.send(order, actor="admin")


def test_what_an_administrator_sends_to_a_phone_is_done_and_told(house: House, anna: User) -> None:
    device = house.enrolled()
    device.connect()
    house.work()  # now its version is known
    sent(device, "InstallApplication", Identifier="org.example.reader", Configuration={"server": "a"})
    sent(device, "Settings", Settings=[{"Item": "DataRoaming", "Enabled": False}])
    sent(device, "Restrictions")
    sent(device, "ClearPasscode")
    sent(device, "SecurityInfo")

    assert {status for _, status in said(device.connect())} == {"Acknowledged"}
    house.work()

    record = record_of(device)
    assert record.passcode_present is False
    assert record.managed_applications.get().state == "Prompting"  # tests/flows/test_applications.py tells the rest
    answers = {answer.request_type: answer.content for answer in record.answers.all()}
    assert answers["Settings"]["Settings"] == [{"Item": "DataRoaming", "Status": "Acknowledged"}]
    assert answers["Restrictions"]["GlobalRestrictions"]["restrictedBool"] == {}


def test_what_an_administrator_sends_to_a_mac_is_done_and_told(house: House, anna: User) -> None:
    device = house.enrolled(Family.MAC)
    device.connect()
    house.work()
    sent(device, "UserList")
    sent(device, "AvailableOSUpdates")
    sent(device, "ScheduleOSUpdate", Updates=[{"ProductVersion": "15.3", "InstallAction": "InstallASAP"}])
    sent(device, "OSUpdateStatus")
    sent(device, "ActivationLockBypassCode")
    sent(device, "RestartDevice", NotifyUser=True)

    assert {status for _, status in said(device.connect())} == {"Acknowledged"}
    house.work()

    record = record_of(device)
    assert record.local_users.get().name == device.membership.user
    assert record.available_updates.get().version == "15.3"
    assert record.answers.get(request_type="OSUpdateStatus").content["OSUpdateStatus"][0]["Status"] == "Downloading"
    assert secrets.names_of(record) == ["ActivationLockBypassCode"]
    assert secrets.held(record)["bootstrap_token_escrowed"]


def test_a_mac_and_its_user_have_queues_of_their_own(house: House, anna: User) -> None:
    device = house.enrolled(Family.MAC)
    command = queued(device, AnyRequest(request_type="ProfileList"), Channel.USER)

    assert len(device.connect()) == 5
    assert device.send_status("Acknowledged", CommandUUID=str(command.uuid)).content == b""  # on the wrong channel
    assert said(device.connect(Channel.USER)) == [("ProfileList", "Acknowledged")]
    assert states(device, device.membership.user_id) == [("ProfileList", State.ACKNOWLEDGED)]


def test_a_channel_opens_with_its_token_update(house: House, anna: User) -> None:
    device = house.device(Family.MAC)
    device.discover()
    device.request_challenge()
    device.sign_in(password="correct horse battery")
    device.fetch_profile()
    device.get_identity()
    device.authenticate()
    device.token_update()

    assert device.send_status("Idle", Channel.USER).status_code == 403
    device.token_update(Channel.USER)
    assert device.connect(Channel.USER) == []


def test_declarations_are_synchronized(house: House, anna: User) -> None:
    device = house.enrolled()
    device.connect()
    queued(device, AnyRequest(request_type="DeclarativeManagement"))

    assert said(device.connect()) == [("DeclarativeManagement", "Acknowledged")]
    assert device.declarative("declaration/activation/nobody.has.it").status_code == 404


def test_the_answer_that_was_lost_with_the_session_comes_first_in_the_next(house: House, anna: User) -> None:
    """A device keeps its result until it was accepted; the server keeps the command until it has the result."""
    device = house.enrolled()
    command = Command.objects.earliest("pk")

    for _ in range(3):
        answer = device.send_status("Idle")
        assert plistlib.loads(answer.content)["CommandUUID"] == str(command.uuid).upper()
    assert len(device.connect()) == 5


def test_a_device_that_is_told_to_leave_leaves(house: House, anna: User) -> None:
    device = house.enrolled()
    device.connect()
    identifier = enrollment_of(device).profile_identifier
    queued(device, AnyRequest(request_type="RemoveProfile", payload={"Identifier": identifier}))
    assert record_of(device).status == Device.Status.RETIRE_PENDING

    assert said(device.connect()) == [("RemoveProfile", "Acknowledged")]
    house.work()

    record = record_of(device)
    assert (record.status, record.retired_reason) == (Device.Status.RETIRED, "retired by administrator")
    assert enrollment_of(device).state == Enrollment.State.ENDED


def test_commands_go_out_in_the_order_they_came(house: House, anna: User) -> None:
    device = house.enrolled()
    device.connect()
    wanted = [queued(device, request) for request in (SecurityInfo(), DeviceInformation(queries=("OSVersion",)))]

    assert [item.command_uuid for item in device.connect()] == [str(command.uuid).upper() for command in wanted]
