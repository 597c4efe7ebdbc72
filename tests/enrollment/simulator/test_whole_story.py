"""A device and a faithful server, from the typed account to the sign-out."""

import pytest

from enrollment.simulator.enrollee import Step
from enrollment.simulator.hardware import Family
from tests.enrollment.simulator.laboratory import PASSWORD, TOKEN, Laboratory

INVENTORY = ["DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList"]


@pytest.mark.parametrize("family", list(Family))
def test_device_enrolls_answers_and_leaves(laboratory: Laboratory, family: Family) -> None:
    steps: list[Step] = []
    device = laboratory.device(family, observer=steps.append)

    device.enroll(password=PASSWORD)
    laboratory.order("DeviceInformation", Queries=["SerialNumber", "OSVersion", "IsSupervised"])
    for request_type in INVENTORY[1:]:
        laboratory.order(request_type)
    executed = device.connect()
    device.check_out()

    assert [(item.request_type, item.status) for item in executed] == [(name, "Acknowledged") for name in INVENTORY]
    assert laboratory.results[1]["QueryResponses"] == {
        "SerialNumber": device.hardware.serial,
        "OSVersion": device.hardware.model.os_version,
        "IsSupervised": family is Family.MAC,
    }
    assert all(result["UDID"] == device.hardware.udid for result in laboratory.results)
    assert [step.problem for step in steps] == [""] * len(steps)
    assert laboratory.check_ins[0]["MessageType"] == "Authenticate"
    assert laboratory.check_ins[-1]["MessageType"] == "CheckOut"
    assert not device.enrolled


def test_mac_speaks_for_itself_and_for_its_user(laboratory: Laboratory) -> None:
    device = laboratory.device(Family.MAC)

    device.enroll(password=PASSWORD)

    said = [(message["MessageType"], message.get("UserShortName")) for message in laboratory.check_ins]
    assert said == [("Authenticate", None), ("TokenUpdate", None), ("TokenUpdate", "anna"), ("SetBootstrapToken", None)]
    bearers = [request.headers.get("Authorization") for request in laboratory.requests_of("check-in")]
    assert bearers == [None, None, f"Bearer {TOKEN}", None]


def test_phone_shows_its_bearer_always(laboratory: Laboratory) -> None:
    device = laboratory.device()

    device.enroll(password=PASSWORD)
    device.connect()

    requests = laboratory.requests_of("check-in") + laboratory.requests_of("connect")
    assert {request.headers.get("Authorization") for request in requests} == {f"Bearer {TOKEN}"}
    assert "UnlockToken" in laboratory.check_ins[1]


@pytest.mark.parametrize("family", [Family.IPHONE, Family.MAC])
def test_user_enrollment_keeps_names_to_itself(laboratory: Laboratory, family: Family) -> None:
    laboratory.version = "mdm-byod"
    device = laboratory.device(family)

    device.enroll(password=PASSWORD)
    laboratory.order("DeviceInformation", Queries=["UDID", "SerialNumber", "WiFiMAC", "OSVersion"])
    laboratory.order("SecurityInfo")
    laboratory.order("EraseDevice")
    done = device.connect()

    first = device.membership.enrollment_id
    hidden = {device.hardware.udid, device.hardware.serial, device.hardware.imei}
    sent = [*laboratory.check_ins, *laboratory.results]
    assert all(message["EnrollmentID"] == first for message in sent)
    assert not any(value in hidden for message in sent for value in message.values() if isinstance(value, str))
    assert laboratory.results[1]["QueryResponses"] == {"OSVersion": device.hardware.model.os_version}
    assert laboratory.results[2]["SecurityInfo"]["ManagementStatus"]["IsUserEnrollment"] is True
    assert done[-1].status == "Error"

    device.enroll(password=PASSWORD)
    assert device.membership.enrollment_id != first


def test_second_enrollment_starts_afresh(laboratory: Laboratory) -> None:
    device = laboratory.device()
    device.enroll(password=PASSWORD)
    old = device.identity

    device.enroll(password=PASSWORD)

    assert device.identity is not None
    assert old is not None
    assert device.identity.certificate.serial_number != old.certificate.serial_number
    assert {message["UDID"] for message in laboratory.check_ins} == {device.hardware.udid}
    assert laboratory.check_ins[1]["PushMagic"] != laboratory.check_ins[3]["PushMagic"]
