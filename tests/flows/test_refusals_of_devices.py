"""Forged, borrowed, altered and replayed: each is refused, the device it was aimed at goes on as before."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from devices.models import Command, Device, Enrollment, Identity
from devices.services import history
from enrollment import reasons
from enrollment.models import Attempt
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.identity import forge
from enrollment.simulator.messages import Channel
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from tests.flows.house import PASSWORD, House, enrollment_of, next_key, person, record_of, states, switch
from tests.flows.rows import changed, rows
from users.models import User

TRACE = {"Attempt"}
SECRET = b"anna's bootstrap token"
Message = Callable[[SimulatedDevice], httpx2.Response]

# One message of each kind, as the device of the enrollment would send it.
MESSAGES: dict[str, Message] = {
    "Authenticate": lambda device: device.check_in("Authenticate"),
    "TokenUpdate": lambda device: device.check_in("TokenUpdate"),
    "CheckOut": lambda device: device.check_in("CheckOut"),
    "SetBootstrapToken": lambda device: device.check_in("SetBootstrapToken", BootstrapToken=b"another"),
    "GetBootstrapToken": lambda device: device.check_in("GetBootstrapToken"),
    "UserAuthenticate": lambda device: device.check_in("UserAuthenticate", Channel.USER),
    "GetToken": lambda device: device.check_in("GetToken", TokenServiceType="com.apple.maid"),
    "tokens": lambda device: device.declarative("tokens"),
    "status": lambda device: device.declarative("status", b"{}"),
    "Idle": lambda device: device.send_status("Idle"),
    "Acknowledged": lambda device: device.send_status("Acknowledged", CommandUUID=first_command(device)),
}
PLAIN_REFUSAL = dict.fromkeys(MESSAGES, (403, b""))  # any word a device understands could unenrol the one meant


def answers(device: SimulatedDevice) -> dict[str, tuple[int, bytes]]:
    found = {name: message(device) for name, message in MESSAGES.items()}
    return {name: (response.status_code, response.content) for name, response in found.items()}


def first_command(device: SimulatedDevice) -> str:
    enrollments = Enrollment.objects.filter(device_key=device.hardware.udid)
    channels = enrollments.values_list("channels__pk", flat=True)
    return str(history.of_channels(list(channels), 100)[-1].uuid).upper()


def assert_plainly_refused(response: httpx2.Response) -> None:
    assert (response.status_code, response.content) == (403, b"")


def in_the_name_of(device: SimulatedDevice, victim: SimulatedDevice) -> None:
    """From now on its messages carry the other's UDID."""
    device.member = replace(device.membership, hardware=victim.hardware)


def test_a_forged_certificate(house: House, anna: User) -> None:
    device = house.enrolled(Family.MAC)
    genuine = device.identity
    assert genuine is not None
    before = rows()

    device.identity = forge(genuine)

    assert answers(device) == PLAIN_REFUSAL
    assert changed(before, rows()) == set()
    device.identity = genuine
    assert len(device.connect()) == 5


def test_the_certificate_of_another_device(house: House, anna: User) -> None:
    person("bob")
    device, other = house.enrolled(Family.MAC), house.enrolled(Family.MAC, "bob@mdm.example.test")
    before = rows()

    in_the_name_of(other, device)

    assert answers(other) == PLAIN_REFUSAL
    assert changed(before, rows()) <= TRACE
    assert len(device.connect()) == 5


def test_a_message_altered_on_its_way(house: House, anna: User) -> None:
    device = house.enrolled(Family.MAC)
    udid = device.hardware.udid.encode()
    before = rows()

    device.network = house.device(transport=Altering(house.transport, udid, udid[::-1])).network

    assert answers(device) == dict.fromkeys(MESSAGES, (400, b""))
    assert changed(before, rows()) == set()
    device.network = house.device().network
    assert len(device.connect()) == 5


class Altering(httpx2.BaseTransport):
    def __init__(self, inner: httpx2.BaseTransport, old: bytes, new: bytes) -> None:
        self._inner, self._old, self._new = inner, old, new

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        assert self._old in body
        altered = body.replace(self._old, self._new)
        return self._inner.handle_request(httpx2.Request("PUT", request.url, headers=request.headers, content=altered))


def test_somebody_elses_bearer(house: House, anna: User) -> None:
    person("bob")
    device, other = house.enrolled(), house.enrolled(identifier="bob@mdm.example.test")
    own = device.token
    before = rows()

    device.token = other.token

    assert answers(device) == PLAIN_REFUSAL
    assert changed(before, rows()) <= TRACE
    device.token = own
    assert len(device.connect()) == 5


def test_a_certificate_of_an_ended_enrollment(house: House, anna: User) -> None:
    """The one answer that lets a device go, for the one that is gone."""
    device = house.enrolled(Family.MAC)
    device.check_out()
    before = rows()

    found = answers(device)

    assert found.pop("CheckOut") == (200, b"")  # asked for again after a lost answer
    assert {(status, json.loads(body)["code"]) for status, body in found.values()} == {
        (403, "com.apple.unrecognized.device")
    }
    assert changed(before, rows()) == set()


def test_a_fresh_certificate_of_the_same_person_begins_beside_the_old_one(house: House, anna: User) -> None:
    device = house.enrolled(Family.MAC)
    device.set_bootstrap_token(SECRET)
    old = enrollment_of(device)
    fresh = with_fresh_identity(house, Family.MAC, UDID=None)
    in_the_name_of(fresh, device)
    before = rows()

    for refused in (fresh.check_in("TokenUpdate"), fresh.check_in("GetBootstrapToken"), fresh.send_status("Idle")):
        assert_plainly_refused(refused)
    assert changed(before, rows()) <= TRACE

    fresh.authenticate()
    assert_plainly_refused(fresh.send_status("Idle"))
    assert_plainly_refused(fresh.send_status("Acknowledged", CommandUUID=first_command(device)))
    assert device.get_bootstrap_token() == SECRET
    assert len(device.connect()) == 5  # the old one stays in force until the TokenUpdate

    fresh.token_update()
    old.refresh_from_db()
    assert (old.state, old.end_reason) == (Enrollment.State.ENDED, "replaced by a new enrollment")
    assert device.send_status("Idle").json()["code"] == "com.apple.unrecognized.device"
    assert fresh.get_bootstrap_token() == b""  # secrets never pass from one to the next
    assert enrollment_of(fresh).bootstrap_token is None
    assert [state for _, state in states(fresh)] == [Command.State.QUEUED] * 5
    assert (record_of(fresh), Device.objects.count()) == (record_of(device), 1)


def test_another_persons_device_is_refused_at_the_sign_in(house: House, anna: User) -> None:
    person("bob")
    device = house.enrolled()
    theirs = house.device(identifier="bob@mdm.example.test", hardware=device.hardware)
    theirs.discover()
    theirs.request_challenge()
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        theirs.sign_in(password=PASSWORD)

    assert (refusal.value.status, refusal.value.code) == (403, reasons.ANOTHER_PERSONS_DEVICE.code)
    assert changed(before, rows()) == TRACE


def test_a_fresh_certificate_of_another_person_is_refused(house: House, anna: User) -> None:
    """One that kept silent about the device until it had a certificate."""
    person("bob")
    device = house.enrolled()
    fresh = with_fresh_identity(house, Family.IPHONE, "bob@mdm.example.test", UDID=None)
    in_the_name_of(fresh, device)
    before = rows()

    for name in ("Authenticate", "TokenUpdate", "CheckOut"):
        assert_plainly_refused(fresh.check_in(name))

    assert changed(before, rows()) == TRACE
    assert Identity.objects.latest("pk").state == Identity.State.ISSUED
    steps = Attempt.objects.get(user__user_id="bob").steps
    assert steps.filter(code=reasons.ANOTHER_PERSONS_DEVICE.code, result="refused").exists()
    assert len(device.connect()) == 5
    assert record_of(device).user == anna


def test_a_takeover_that_is_allowed_begins_with_its_token_update(house: House, anna: User) -> None:
    switch("enrollment.allow_takeover", "on")
    bob = person("bob")
    device = house.enrolled()
    fresh = house.device(identifier="bob@mdm.example.test", hardware=device.hardware)
    for step in (fresh.discover, fresh.request_challenge):
        step()
    fresh.sign_in(password=PASSWORD)
    fresh.fetch_profile()
    fresh.get_identity()
    fresh.authenticate()
    assert len(device.connect()) == 5

    fresh.token_update()

    assert enrollment_of(device).end_reason == "taken over by another person"
    assert device.send_status("Idle").json()["code"] == "com.apple.unrecognized.device"
    assert (record_of(fresh).user, record_of(fresh).mdm_managed) == (bob, True)
    assert (record_of(device).user, record_of(device).mdm_managed) == (anna, False)
    assert len(fresh.connect()) == 5


def with_fresh_identity(
    house: House, family: Family, identifier: str = "anna@mdm.example.test", **changes: Any
) -> SimulatedDevice:
    """A device, or a clever person with a tool, that has everything but an Authenticate."""
    device = house.device(family, identifier)
    device.discover()
    device.request_challenge(**changes)
    device.sign_in(password=PASSWORD)
    device.fetch_profile()
    device.get_identity()
    return device


def test_a_challenge_is_good_for_one_key(house: House, anna: User) -> None:
    device = with_fresh_identity(house, Family.IPHONE)
    challenge = device.membership.profile.scep.challenge
    before = rows()

    for attempt in ({"key": next_key()}, {"key": next_key(), "challenge": challenge}):
        with pytest.raises(TurnedAway) as refusal:
            device.get_identity(**attempt)
        assert (refusal.value.status, refusal.value.code) == (200, "badRequest")

    assert changed(before, rows()) == TRACE
    assert Identity.objects.count() == 1


@pytest.mark.parametrize("challenge", ["", "guess", "guess.guess"])
def test_a_challenge_must_be_the_one_of_the_profile(house: House, anna: User, challenge: str) -> None:
    device = with_fresh_identity(house, Family.IPHONE)
    before = rows()

    with pytest.raises(TurnedAway) as refusal:
        device.get_identity(key=next_key(), challenge=challenge)

    assert refusal.value.code == "badRequest"
    assert changed(before, rows()) == set()


def test_a_token_of_somebody_else_fetches_nothing_at_this_address(house: House, anna: User) -> None:
    person("bob")
    ours, theirs = house.device(), house.device(identifier="bob@mdm.example.test")
    for device in (ours, theirs):
        device.discover()
        device.request_challenge()
        device.sign_in(password=PASSWORD)
    before = rows()

    response = ours.post_enrollment({"Authorization": f"Bearer {theirs.token}"})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer method="apple-as-web", url="https://')
    assert changed(before, rows()) <= TRACE
    theirs.fetch_profile()


def test_a_token_whose_enrollment_ended_fetches_nothing(house: House, anna: User) -> None:
    device = house.enrolled()
    server, body, token = device.server, device.enrollment_body, device.token
    device.check_out()
    before = rows()

    device.server, device.enrollment_body = server, body
    response = device.post_enrollment({"Authorization": f"Bearer {token}"})

    assert response.status_code == 401
    assert changed(before, rows()) <= TRACE


def test_without_a_signature_there_is_nobody(house: House, anna: User) -> None:
    device = house.enrolled()
    assert device.identity is not None
    before = rows()

    for headers in ({"Mdm-Signature": None}, {"Mdm-Signature": None, "Client-Cert": f":{device.identity.der.hex()}:"}):
        assert_plainly_refused(device.check_in("CheckOut", headers=headers))

    assert changed(before, rows()) == set()


def test_a_signature_made_for_another_message(house: House, anna: User) -> None:
    device = house.enrolled()
    recorder = Recording(house.transport)
    device.network = house.device(transport=recorder).network
    device.send_status("Idle")
    signature = recorder.requests[-1].headers["Mdm-Signature"]
    before = rows()

    response = device.check_in("CheckOut", headers={"Mdm-Signature": signature})

    assert response.status_code == 400
    assert changed(before, rows()) == set()


class Recording(httpx2.BaseTransport):
    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self._inner = inner
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self._inner.handle_request(request)


def test_a_forged_first_message_is_refused_where_it_must_be_genuine(house: House, anna: User) -> None:
    switch("ios.mdm.machine_info_signature", "require")
    device = house.device()
    device.discover()
    before = rows()

    with pytest.raises(DeviceRefused) as refusal:
        device.request_challenge()  # signed by a maker of devices that nobody knows

    assert isinstance(refusal.value, TurnedAway)
    assert refusal.value.status == 403
    assert changed(before, rows()) == TRACE
    assert Attempt.objects.get().last_code == reasons.UNKNOWN_DEVICE_CA.code
