"""What devices say in each scenario, and what the server must have for them before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from bench.devices import BenchDevice
from epmm.wire.plist import dump

UDID: Final = "@UDID@"
UUID_PLACE: Final = "@UUID@"
COMMAND_BYTES: Final = 900
LARGE_ANSWER: Final = 7300  # a DeviceInformation result with all its answers
SIGNING: Final = 500  # devices: each signature takes a millisecond to make, and devices may repeat themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    budget: Mapping[str, int]  # by database; empty: none
    answer_bytes: int | None = None  # None: idle
    queued: int = 0  # commands for each device that are not answered
    is_signed: bool = False
    history: int | None = None  # only devices with so many finished commands

    @property
    def answers(self) -> bool:
        return self.answer_bytes is not None

    def devices(self, everyone: Sequence[BenchDevice]) -> Sequence[BenchDevice]:
        if self.history is not None:
            return [device for device in everyone if device.history == self.history][: self._as_many(everyone)]
        return everyone[:SIGNING] if self.is_signed else everyone

    @staticmethod
    def _as_many(everyone: Sequence[BenchDevice]) -> int:
        """With and without a history: as many as have the longest."""
        return sum(device.history == max(HISTORIES) for device in everyone)

    def message(self) -> bytes:
        """With places for the device and the command; both are of the length of what takes their place."""
        if self.answer_bytes is None:
            return dump({"UDID": UDID, "Status": "Idle"})
        values = {f"Query{number:03}": f"some value {number:040}" for number in range(self.answer_bytes // 90)}
        nested = {"QueryResponses": values} if values else {}
        return dump({"UDID": UDID, "CommandUUID": UUID_PLACE, "Status": "Acknowledged", **nested})


@dataclass(frozen=True, slots=True)
class Request:
    device: BenchDevice
    proof: str  # the value of the header
    command: UUID | None = None


IDLE: Final = {"postgresql": 120, "sqlite": 150}
ANSWERED: Final = {"postgresql": 350, "sqlite": 450}
HISTORIES: Final = (0, 250, 10_000)
ALL: Final = (
    Scenario(name="idle-empty", budget=IDLE),
    Scenario(name="idle-one", budget=IDLE, queued=1),
    Scenario(name="ack-small", budget=ANSWERED, answer_bytes=0, queued=1),
    Scenario(name="ack-8k", budget=ANSWERED, answer_bytes=LARGE_ANSWER, queued=1),
    Scenario(name="mdm-signature", budget={}, is_signed=True),  # the check of a signature comes on top
    *(Scenario(name=f"history-{count}", budget=IDLE, queued=1, history=count) for count in HISTORIES),
)
BY_NAME: Final = {scenario.name: scenario for scenario in ALL}


def population(count: int, *, old: int) -> list[BenchDevice]:
    """The first ones have a history: `old` of each length."""
    histories = [history for history in HISTORIES if history for _ in range(old)]
    return [BenchDevice(number, histories[number] if number < len(histories) else 0) for number in range(count)]


def commands(devices: Sequence[BenchDevice], scenario: Scenario, answers: int) -> dict[str, list[UUID]]:
    """What is queued, by device: `answers` to be answered in all, and what stays."""
    rounds = -(-answers // len(devices)) if scenario.answers else 0
    return {device.udid: [uuid4() for _ in range(rounds + scenario.queued)] for device in devices[: answers or None]}


def requests(devices: Sequence[BenchDevice], scenario: Scenario, queued: Mapping[str, Sequence[UUID]]) -> list[Request]:
    """Each answer once; each idle device once, to be repeated."""
    if scenario.answers:
        rounds = max(map(len, queued.values())) - scenario.queued
        chosen = [device for device in devices if device.udid in queued]
        return [Request(d, d.forwarded, queued[d.udid][place]) for place in range(rounds) for d in chosen]
    if not scenario.is_signed:
        return [Request(device, device.forwarded) for device in devices]
    return [Request(device, device.signature(body(scenario, device.udid))) for device in devices]


def body(scenario: Scenario, udid: str, command: UUID | None = None) -> bytes:
    said = str(command).upper() if command else ""
    return scenario.message().replace(UDID.encode(), udid.encode()).replace(UUID_PLACE.encode(), said.encode())


def command_payload(uuid: UUID) -> bytes:
    filled = dump({"CommandUUID": str(uuid).upper(), "Command": {"RequestType": "DeviceInformation", "Queries": ""}})
    queries = "x" * (COMMAND_BYTES - len(filled))
    return dump({"CommandUUID": str(uuid).upper(), "Command": {"RequestType": "DeviceInformation", "Queries": queries}})
