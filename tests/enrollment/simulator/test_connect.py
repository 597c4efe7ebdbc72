import plistlib
from typing import Any

import httpx2
import pytest

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from enrollment.simulator.refusal import DeviceRefused, NoAnswer
from tests.enrollment.simulator.laboratory import PASSWORD, Answer, Laboratory, Spoil, header, payload


@pytest.fixture
def device(laboratory: Laboratory) -> SimulatedDevice:
    device = laboratory.device()
    device.enroll(password=PASSWORD)
    return device


@pytest.fixture
def mac(laboratory: Laboratory) -> SimulatedDevice:
    mac = laboratory.device(Family.MAC)
    mac.enroll(password=PASSWORD)
    return mac


def answer_to(laboratory: Laboratory, device: SimulatedDevice, request_type: str, **keys: Any) -> dict[str, Any]:
    laboratory.order(request_type, **keys)
    device.connect()
    return laboratory.results[-1]


def test_session_ends_with_zero_bytes(laboratory: Laboratory, device: SimulatedDevice) -> None:
    assert device.connect() == []
    assert laboratory.results == [{"UDID": device.hardware.udid, "Status": "Idle"}]
    assert laboratory.requests_of("connect")[0].headers["Content-Type"] == "application/x-apple-aspen-mdm"


def test_channels_of_a_mac_are_told_apart(laboratory: Laboratory, mac: SimulatedDevice) -> None:
    mac.connect()
    mac.connect(Channel.USER)

    of_device, of_user = laboratory.results
    assert "UserID" not in of_device
    assert of_user["UserID"] == mac.membership.user_id
    bearers = ["authorization" in request.headers for request in laboratory.requests_of("connect")]
    assert bearers == [False, True]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (header("Content-Type", "application/octet-stream"), "not as XML"),
        (lambda a: Answer(200, content=b"<plist", headers=a.headers), "not an XML property list"),
        (lambda a: Answer(200, content=plistlib.dumps([]), headers=a.headers), "not a dictionary"),
        (lambda a: Answer(200, content=plistlib.dumps({}), headers=a.headers), "CommandUUID"),
        (lambda a: Answer(200, content=plistlib.dumps({"CommandUUID": ""}), headers=a.headers), "CommandUUID"),
        (lambda a: Answer(200, content=plistlib.dumps({"CommandUUID": "1"}), headers=a.headers), "RequestType"),
        (
            lambda a: Answer(200, content=plistlib.dumps({"CommandUUID": "1", "Command": {}}), headers=a.headers),
            "RequestType",
        ),
        (lambda _: Answer(403), "tries again"),
    ],
)
def test_answer_that_is_no_command_is_refused(
    laboratory: Laboratory, device: SimulatedDevice, spoil: Spoil, reason: str
) -> None:
    laboratory.order("ProfileList")
    laboratory.spoiled["connect"] = spoil

    with pytest.raises(DeviceRefused, match=reason):
        device.connect()


def test_unknown_command_is_an_error_and_not_an_end(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.order("FlyAway")
    laboratory.order("ProfileList")

    assert [item.status for item in device.connect()] == ["Error", "Acknowledged"]
    assert laboratory.results[1]["ErrorChain"][0]["ErrorDomain"] == "MCMDMErrorDomain"


@pytest.mark.parametrize(
    ("request_type", "keys"),
    [
        ("DeviceInformation", {}),
        ("DeviceInformation", {"Queries": []}),
        ("DeviceInformation", {"Queries": [1]}),
        ("RemoveProfile", {}),
        ("InstallProfile", {"Payload": "text"}),
    ],
)
def test_malformed_command_is_named_so(
    laboratory: Laboratory, device: SimulatedDevice, request_type: str, keys: dict[str, Any]
) -> None:
    assert answer_to(laboratory, device, request_type, **keys)["Status"] == "CommandFormatError"


@pytest.mark.parametrize(
    "request_type", ["ProfileList", "CertificateList", "InstalledApplicationList", "SecurityInfo", "EraseDevice"]
)
def test_missing_right_is_an_error(laboratory: Laboratory, request_type: str) -> None:
    laboratory.profile_change = lambda keys: keys["PayloadContent"][1].update(AccessRights=16)
    device = laboratory.device()
    device.enroll(password=PASSWORD)

    assert answer_to(laboratory, device, request_type)["Status"] == "Error"


def test_enrollment_profile_and_identity_are_listed(laboratory: Laboratory, device: SimulatedDevice) -> None:
    (profile,) = answer_to(laboratory, device, "ProfileList")["ProfileList"]
    (certificate,) = answer_to(laboratory, device, "CertificateList")["CertificateList"]

    assert profile["PayloadIdentifier"] == device.membership.profile.identifier
    assert profile["IsManaged"] is True
    assert profile["SignerCertificates"] == [laboratory.ra.der]
    assert [item["PayloadType"] for item in profile["PayloadContent"]] == ["com.apple.security.scep", "com.apple.mdm"]
    assert "challenge-1" not in str(profile)
    assert device.identity is not None
    assert certificate == {"CommonName": "issued by the laboratory", "IsIdentity": True, "Data": device.identity.der}


def test_applications_can_be_narrowed(laboratory: Laboratory, device: SimulatedDevice) -> None:
    everything = answer_to(laboratory, device, "InstalledApplicationList")["InstalledApplicationList"]
    narrowed = answer_to(
        laboratory, device, "InstalledApplicationList", Identifiers=["com.apple.Pages"], Items=["Name"]
    )
    managed = answer_to(laboratory, device, "InstalledApplicationList", ManagedAppsOnly=True)

    assert {"Identifier", "Name", "Version", "ShortVersion", "BundleSize"} <= everything[0].keys()
    assert narrowed["InstalledApplicationList"] == [{"Name": "Pages"}]
    assert managed["InstalledApplicationList"] == []


def test_security_tells_the_kind_of_enrollment(
    laboratory: Laboratory, device: SimulatedDevice, mac: SimulatedDevice
) -> None:
    phone_says = answer_to(laboratory, device, "SecurityInfo")["SecurityInfo"]
    mac_says = answer_to(laboratory, mac, "SecurityInfo")["SecurityInfo"]

    assert phone_says["ManagementStatus"] == {"IsUserEnrollment": False}
    assert phone_says["HardwareEncryptionCaps"] == 3
    assert mac_says["ManagementStatus"]["EnrolledViaDEP"] is False
    assert mac_says["FDE_Enabled"] is True


def test_lock_shows_its_message(laboratory: Laboratory, device: SimulatedDevice) -> None:
    assert answer_to(laboratory, device, "DeviceLock", Message="Lost")["MessageResult"] == "Success"
    assert "MessageResult" not in answer_to(laboratory, device, "DeviceLock")


def test_other_profiles_come_and_go(laboratory: Laboratory, device: SimulatedDevice) -> None:
    wifi = payload("Configuration", 7) | {"PayloadContent": [payload("com.apple.wifi.managed", 8)]}
    name = wifi["PayloadIdentifier"]

    installed = answer_to(laboratory, device, "InstallProfile", Payload=plistlib.dumps(wifi))
    listed = answer_to(laboratory, device, "ProfileList")["ProfileList"]
    removed = [answer_to(laboratory, device, "RemoveProfile", Identifier=name)["Status"] for _ in range(2)]
    damaged = answer_to(laboratory, device, "InstallProfile", Payload=b"damaged")

    assert installed["Status"] == "Acknowledged"
    assert [item["PayloadIdentifier"] for item in listed] == [device.membership.profile.identifier, name]
    assert removed == ["Acknowledged", "Error"]
    assert damaged["ErrorChain"][0]["ErrorDomain"] == "MCInstallationErrorDomain"


def test_removing_another_profile_needs_a_right(laboratory: Laboratory) -> None:
    laboratory.profile_change = lambda keys: keys["PayloadContent"][1].update(AccessRights=16)
    device = laboratory.device()
    device.enroll(password=PASSWORD)

    assert answer_to(laboratory, device, "RemoveProfile", Identifier="test.example.other")["Status"] == "Error"


@pytest.mark.parametrize("says_so", [True, False])
def test_removed_enrollment_profile_is_the_end(laboratory: Laboratory, *, says_so: bool) -> None:
    laboratory.profile_change = lambda keys: keys["PayloadContent"][1].update(CheckOutWhenRemoved=says_so)
    device = laboratory.device()
    device.enroll(password=PASSWORD)
    laboratory.order("RemoveProfile", Identifier=device.membership.profile.identifier)
    laboratory.order("ProfileList")

    executed = device.connect()

    assert [item.request_type for item in executed] == ["RemoveProfile"]
    assert (laboratory.check_ins[-1]["MessageType"] == "CheckOut") is says_so
    assert not device.enrolled


def test_erased_device_is_silent(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.order("EraseDevice")
    laboratory.order("ProfileList")

    assert len(device.connect()) == 1
    assert laboratory.check_ins[-1]["MessageType"] == "TokenUpdate"


def test_not_now_is_told_and_the_next_command_runs(laboratory: Laboratory, mac: SimulatedDevice) -> None:
    mac.not_now = {"DeviceInformation"}
    laboratory.order("DeviceInformation", Queries=["OSVersion"])
    laboratory.order("ProfileList")

    assert [item.status for item in mac.connect()] == ["NotNow", "Acknowledged"]
    assert "QueryResponses" not in laboratory.results[1]


def test_server_that_insists_after_not_now_is_found_out(laboratory: Laboratory, mac: SimulatedDevice) -> None:
    mac.not_now = {"ProfileList"}
    laboratory.order("ProfileList")
    laboratory.commands *= 2

    with pytest.raises(DeviceRefused, match="circles"):
        mac.connect()


def test_phone_never_puts_an_inventory_off(laboratory: Laboratory, device: SimulatedDevice) -> None:
    device.not_now = {"DeviceInformation"}
    laboratory.order("DeviceInformation", Queries=["OSVersion"])

    with pytest.raises(ValueError, match="iPhone never answers NotNow"):
        device.connect()


def test_session_without_end_is_left(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.order("ProfileList")
    laboratory.commands *= 300

    with pytest.raises(DeviceRefused, match="more than 200 commands"):
        device.connect()


def test_result_whose_answer_got_lost_is_told_first(laboratory: Laboratory, device: SimulatedDevice) -> None:
    def lose(answer: httpx2.Response) -> httpx2.Response:
        if len(laboratory.results) == 2:
            raise httpx2.ReadError("gone")
        return answer

    laboratory.order("ProfileList")
    laboratory.order("SecurityInfo")
    laboratory.spoiled["connect"] = lose
    with pytest.raises(NoAnswer):
        device.connect()

    laboratory.order("CertificateList")
    executed = device.connect()

    assert laboratory.results[2] == laboratory.results[1]
    assert [item.request_type for item in executed] == ["CertificateList"]


def test_answer_can_be_put_into_its_mouth(laboratory: Laboratory, device: SimulatedDevice) -> None:
    device.answers["DeviceInformation"] = lambda keys: {"QueryResponses": {"OSVersion": keys["Queries"]}}

    answer = answer_to(laboratory, device, "DeviceInformation", Queries=["x"])

    assert answer["QueryResponses"] == {"OSVersion": ["x"]}


def test_any_status_can_be_sent(laboratory: Laboratory, device: SimulatedDevice) -> None:
    response = device.send_status("Acknowledged", CommandUUID="unknown", headers={"Mdm-Signature": "x"})

    assert response.status_code == 200
    assert laboratory.results == [{"UDID": device.hardware.udid, "Status": "Acknowledged", "CommandUUID": "unknown"}]


def test_new_version_of_the_enrollment_profile_brings_a_new_identity(
    laboratory: Laboratory, device: SimulatedDevice
) -> None:
    before, old = len(laboratory.check_ins), device.identity
    laboratory.order("InstallProfile", Payload=laboratory.profile_bytes())

    executed = device.connect()

    assert executed[0].status == "Acknowledged"
    assert [message["MessageType"] for message in laboratory.check_ins[before:]] == ["Authenticate", "TokenUpdate"]
    assert device.identity != old
    assert laboratory.check_ins[1]["PushMagic"] == laboratory.check_ins[-1]["PushMagic"]


@pytest.mark.parametrize("step", ["PKIOperation", "check-in"])
def test_failed_update_leaves_everything_as_it_was(laboratory: Laboratory, device: SimulatedDevice, step: str) -> None:
    old, profile = device.identity, device.profile
    laboratory.order("InstallProfile", Payload=laboratory.profile_bytes())
    laboratory.spoiled[step] = lambda _: Answer(503)

    executed = device.connect()

    assert executed[0].status == "Error"
    assert (device.identity, device.profile) == (old, profile)


def test_update_for_another_server_is_refused(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.profile_change = lambda keys: keys["PayloadContent"][1].update(ServerURL="https://evil.example/")
    laboratory.order("InstallProfile", Payload=laboratory.profile_bytes())

    assert device.connect()[0].status == "Error"
    assert "ServerURL" in laboratory.results[1]["ErrorChain"][0]["LocalizedDescription"]
