"""`kill -9` at any step: a device goes on by itself, and nothing that it was told gets lost.

Real processes, real TLS; what is killed starts again at once (`impatient_up.py`).
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import pytest

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.mdm_link import accepted
from enrollment.simulator.messages import Channel
from enrollment.simulator.network import Network
from tests.epmm.processes import eventually
from tests.epmm.test_up import HOST
from tests.flows.crashing import SECONDS, Accounting, Crashing, Deadly, Moment
from tests.flows.house import PASSWORD
from tests.flows.persistence import enroll, persistently
from tests.migrated import DATABASE_URL, new_database

pytestmark = pytest.mark.service("database")

PREPARE = """
import json
from epmm import settings_store
from enrollment.services import registration
from users.services import people
settings_store.change("ios.mdm.account_driven_device_enrollment", "on", actor="test")
settings_store.change("registration.requirement", "password_and_pin", actor="test")
pins = {}
for name in ("anna", "bob"):
    new = people.NewPerson(
        user_id=name, roles=["apple.adde"], managed_apple_account=name + "@mdm.example.test", password=PASSWORD
    )
    pins[name] = registration.issue_pin(people.create(new, actor="test"), actor="test")
print(json.dumps(pins))
"""
QUEUE = """
from devices.models import Channel
from devices.protocol.commands import ProfileList
from devices.services import queue
for channel in Channel.objects.filter(user_key=""):
    for _ in range(COUNT):
        print(channel.enrollment.device_key, str(queue.queue(channel, ProfileList()).uuid).upper())
"""
EACH = 120  # commands of a burst for each of the two devices
AT_ONCE = 8


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashing]:
    made = Crashing(tmp_path_factory.mktemp("crash"), new_database() if DATABASE_URL else "")
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_nothing_is_lost(house: Crashing) -> None:
    """Two devices enroll while they kill the server at every step, then answer a burst of commands."""
    pins = json.loads(house.python(PREPARE.replace("PASSWORD", repr(PASSWORD))))
    mac, mac_line = device(house, Family.MAC, "anna", Moment.ANSWERED)
    phone, phone_line = device(house, Family.IPHONE, "bob", Moment.IN_FLIGHT)

    for each, name in ((mac, "anna"), (phone, "bob")):
        enroll(each, {"password": PASSWORD, "pin": pins[name]})
        persistently(each.connect)
    persistently(lambda: mac.connect(Channel.USER))
    keep_in_step(house, mac, phone)

    assert (len(mac_line.killed_at), len(phone_line.killed_at)) == (15, 11)
    mac_line.is_calm = phone_line.is_calm = True
    assert_enrolled(house, mac, phone)
    assert mac.get_bootstrap_token() == b"bootstrap token of a laboratory"

    queued = [line.split() for line in house.python(QUEUE.replace("COUNT", str(EACH))).splitlines()]
    assert len(queued) == 2 * EACH
    lines = burst(house, {mac.hardware.udid: mac, phone.hardware.udid: phone}, queued)

    told: dict[str, str] = {}
    for line in (mac_line, phone_line, *lines):
        told |= line.accepted
    ledger = house.ledger()
    assert len(told) - ledger["synchronizations"] == 2 * (5 + EACH)
    assert ledger["results"] == told
    assert ledger["commands"] == dict.fromkeys(told, "Acknowledged")

    for each in (mac, phone):
        each.check_out()
    assert [row["status"] for row in house.ledger()["devices"]] == ["RETIRED", "RETIRED"]
    assert "Traceback" not in house.log


def device(house: Crashing, family: Family, name: str, moment: Moment) -> tuple[SimulatedDevice, Deadly]:
    line = Deadly(house, moment)
    made = SimulatedDevice(
        f"{name}@{HOST}", hardware=Hardware.new(family), network=Network(transport=line), ports={HOST: house.port}
    )
    return made, line


def keep_in_step(house: Crashing, *devices: SimulatedDevice) -> None:
    """Until nothing is left to do; a device whose synchronization broke off begins it again by itself."""
    channels = [(each, channel) for each in devices for channel in each.membership.channels]

    def are_in_step() -> bool:
        ledger = house.ledger()
        if (ledger["in_step"], ledger["open"]) == (len(channels), 0):
            return True
        for each, channel in channels:
            persistently(lambda each=each, channel=channel: each.connect(channel))  # type: ignore[misc]
            persistently(lambda each=each, channel=channel: each.synchronize(channel))  # type: ignore[misc]
        return False

    eventually(are_in_step, seconds=SECONDS)


def assert_enrolled(house: Crashing, *devices: SimulatedDevice) -> None:
    ledger = house.ledger()
    assert ledger["devices"] == [
        {
            "serial_number": each.hardware.serial,
            "status": "ACTIVE",
            "os_version": each.hardware.model.os_version,
            "user__user_id": each.identifier.partition("@")[0],
        }
        for each in devices
    ]
    for each, (key, state, bearer, unlock) in zip(devices, ledger["enrollments"], strict=True):
        assert each.token is not None
        assert (key, state) == (each.hardware.udid, "Active")
        assert bearer == hashlib.sha256(each.token.encode()).hexdigest()
        assert unlock == (0 if each.hardware.family.is_mac else len(each.membership.unlock_token))
    tokens = {push.token.hex() for each in devices for push in each.membership.push.values()}
    assert {token for _, token in ledger["push"]} <= tokens
    assert len(ledger["push"]) == 3


def burst(house: Crashing, devices: dict[str, SimulatedDevice], queued: list[list[str]]) -> list[Accounting]:
    """All results at once over several lines, while gateway and worker are killed at a third and at two thirds."""
    lines = [Accounting(house) for _ in range(AT_ONCE)]
    shares = [queued[number::AT_ONCE] for number in range(AT_ONCE)]

    def answer(line: Accounting, share: list[list[str]]) -> None:
        twins = {key: on_line(each, line) for key, each in devices.items()}
        for key, command in share:
            persistently(lambda key=key, command=command: acknowledge(twins[key], command))  # type: ignore[misc]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [pool.submit(answer, line, share) for line, share in zip(lines, shares, strict=True)]
        for enough in (len(queued) // 3, 2 * len(queued) // 3):
            eventually(lambda enough=enough: sum(len(line.accepted) for line in lines) > enough)  # type: ignore[misc]
            house.kill("worker")
            house.kill("gateway")
        for each in answers:
            each.result()
    return lines


def on_line(device: SimulatedDevice, line: Accounting) -> SimulatedDevice:
    """The same device, over a line of one thread's own."""
    twin = copy(device)
    twin.network = Network(transport=line)
    return twin


def acknowledge(device: SimulatedDevice, command: str) -> None:
    accepted(device.send_status("Acknowledged", CommandUUID=command, ProfileList=[]), "its result")
