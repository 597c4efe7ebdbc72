"""The fault harness notices what it is there for: its books, its eye on the logs, its way with processes and lines."""

import asyncio
import hashlib
import random
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from bench.faults.holder import NUMBER, Holds
from bench.faults.kept import Kept
from bench.faults.ledger import Ledger, is_all_done, what_is_left
from bench.faults.logs import Logs
from bench.faults.players import Told
from bench.faults.relay import BadNetwork, opened
from bench.faults.work import Ordered
from devices.models import (
    Channel,
    ChannelStatus,
    Command,
    DeclarationSet,
    DeclarationState,
    FinishedCommand,
    Payload,
    Result,
    StatusReport,
)
from devices.models import Manifest as StoredManifest
from devices.services import results
from enrollment.simulator.declarative import Manifest
from epmm import audit, audit_chain
from epmm.models import AuditEntry
from tests.devices.services.rows import UDID, channel_of, enrolled, person
from tests.epmm.processes import eventually, is_alive

TRACE = """2026-11-27 00:53:00,225 ERROR epmm.tasks: a job failed job=101
Traceback (most recent call last):
  File "one.py", line 1, in one
    fail()
KeyError: 'first'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "two.py", line 2, in two
    fail()
{}
2026-11-27 00:53:01,000 INFO epmm.tasks: goes on
"""
SAID = "worker-0.log: ValueError: second"
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


@pytest.fixture
def channel(db: None) -> Channel:
    return channel_of(enrolled(user=person("bench")))


def order(channel: Channel, request_type: str = "ProfileList") -> Command:
    (payload,) = Payload.objects.of([b"said"])
    return Command.objects.create(channel=channel, request_type=request_type, payload=payload)


def keep(command: Command, body: bytes = b"answer") -> Told:
    """As the door does it; and what the device was told then."""
    Result.of(command, Command.State.ACKNOWLEDGED, timezone.now(), body).save(force_insert=True)
    command.delete()
    return told(command.uuid)


def told(uuid: UUID, body: bytes = b"answer", status: str = "Acknowledged", who: str = UDID, version: str = "") -> Told:
    return Told(who, uuid, status, hashlib.sha256(body).digest(), version)


def mistakes(
    answers: list[Told], ordered: Ordered | None = None, handed: Sequence[tuple[UUID, float]] = ()
) -> list[str]:
    ledger = Ledger(handed=[*handed])
    ledger.enter(answers)
    ledger.add(ordered or Ordered())
    return ledger.compare()


def test_what_was_told_and_kept_is_in_order(channel: Channel) -> None:
    command = order(channel)
    ordered = Ordered(commands={command.uuid})
    assert not is_all_done(ordered)
    assert str(command.uuid) in what_is_left(ordered)

    assert mistakes([keep(command)], ordered) == []


def test_what_was_told_and_is_lost_is_named(channel: Channel) -> None:
    lost = uuid4()

    assert mistakes([told(lost)]) == [f"told 200, and not in the books: {lost}"]


def test_what_was_queued_and_is_lost_is_named(channel: Channel) -> None:
    lost = uuid4()

    assert mistakes([], Ordered(commands={lost})) == [f"queued, and not in the books: {lost}"]


def test_an_answer_of_another_channel_is_named(channel: Channel) -> None:
    command = order(channel)
    keep(command)

    assert mistakes([told(command.uuid, who=f"{UDID} USER")]) == [f"in the books with another answer: {command.uuid}"]


def called_back(command: Command, at: float = 5.0) -> Ordered:
    Command.objects.filter(pk=command.pk).call_back()
    return Ordered(commands={command.uuid}, called_back={command.uuid: at})


@pytest.mark.parametrize("state", [Command.State.QUEUED, Command.State.OFFERED])
def test_what_was_called_back_need_not_be_answered(channel: Channel, state: Command.State) -> None:
    command = order(channel)
    Command.objects.update(state=state)
    ordered = called_back(command)
    assert is_all_done(ordered)

    assert mistakes([], ordered) == []
    assert mistakes([]) == [f"called back in the books, by nobody: {command.uuid}"]


def test_an_answer_to_what_was_called_back_is_kept_or_named(channel: Channel) -> None:
    command = order(channel)
    Command.objects.update(state=Command.State.OFFERED)
    ordered, answer = called_back(command), told(command.uuid)
    assert mistakes([answer], ordered) == [f"in the books with another answer: {command.uuid}"]

    keep(command)
    assert mistakes([answer], ordered) == []


@pytest.mark.parametrize(("began", "found"), [(4.9, 0), (5.1, 1)])
def test_what_is_handed_out_after_it_was_called_back_is_named(channel: Channel, began: float, found: int) -> None:
    command = order(channel)
    Command.objects.update(state=Command.State.OFFERED)
    ordered = called_back(command, at=5.0)

    late = [f"handed out after it was called back: {command.uuid}"] * found
    assert mistakes([], ordered, handed=[(command.uuid, began), (uuid4(), 9.9)]) == late


def test_an_answer_that_stands_twice_is_named(channel: Channel) -> None:
    command = order(channel)
    FinishedCommand.of(command, Command.State.ACKNOWLEDGED, timezone.now(), b"answer").save(force_insert=True)
    answer = keep(command)

    assert f"in the books more than once: {answer.uuid}" in mistakes([answer])


@pytest.mark.parametrize(("body", "status"), [(b"another", "Acknowledged"), (b"answer", "Error")])
def test_another_answer_than_the_device_gave_is_named(channel: Channel, body: bytes, status: str) -> None:
    answer = keep(order(channel))

    assert mistakes([told(answer.uuid, body, status)]) == [f"in the books with another answer: {answer.uuid}"]


def test_a_version_that_a_record_does_not_show_is_named(channel: Channel) -> None:
    answer = keep(order(channel, "DeviceInformation"))
    results.read_results()
    ledger = Ledger()
    ledger.check_records([replace(answer, version="18.2")], "18.2")
    assert ledger.mistakes == [f"told 18.2, and the record says otherwise: {UDID}"]

    ledger = Ledger()
    of_user = told(answer.uuid, who=f"{UDID} USER", version="18.2")  # it stands apart
    on_its_way = replace(answer, version="18.1")  # when the devices got the next one
    ledger.check_records([of_user, on_its_way, answer], "18.2")
    assert ledger.mistakes == []


def test_an_answer_that_no_device_gave_is_named(channel: Channel) -> None:
    answer = keep(order(channel))

    assert mistakes([]) == [f"answered in the books, by no device: {answer.uuid}"]


HELD = Holds(Manifest("set", {("configuration", "passcode"): "v1"}), 7)


@pytest.fixture
def holding(channel: Channel) -> Channel:
    StoredManifest.objects.create(token="set", items=[["configuration", "passcode", "v1"]])
    DeclarationSet.objects.create(channel=channel, token="set", served_token="set")
    DeclarationState.objects.create(
        channel=channel, kind="configuration", identifier="passcode", server_token="v1", valid="valid"
    )
    ChannelStatus.objects.create(channel=channel, items={NUMBER: 7})
    return channel


@pytest.mark.parametrize(
    ("held", "mistake"),
    [
        (HELD, ""),
        (replace(HELD, number=8), f"told 200 for another report than the last one that is known: {UDID} 8 (known: 7)"),
        (replace(HELD, manifest=replace(HELD.manifest, token="b")), f"holds another set than it was served: {UDID}"),
    ],
)
def test_another_report_or_another_set_than_the_last_is_named(holding: Channel, held: Holds, mistake: str) -> None:
    assert Ledger(holds={UDID: held}).compare() == [mistake] * bool(mistake)


def test_declarations_that_are_not_those_of_the_set_are_named(holding: Channel) -> None:
    DeclarationState.objects.update(server_token="v0")
    StoredManifest.objects.update(items=[])

    assert Ledger(holds={UDID: HELD}).compare() == [
        f"its set lists what it was not given: {UDID}",
        f"reported other declarations than are known: {UDID}",
    ]
    DeclarationSet.objects.all().delete()
    assert Ledger(holds={UDID: HELD}).compare() == [f"holds declarations, and has no set: {UDID}"]


def test_a_set_that_is_behind_and_a_report_that_is_unread_are_not_done(holding: Channel) -> None:
    assert is_all_done(Ordered())
    report = StatusReport.objects.create(channel=holding, body=b"{}")
    assert not is_all_done(Ordered())
    report.delete()

    DeclarationSet.objects.update(token="next")
    assert not is_all_done(Ordered())
    summary, why = what_is_left(Ordered()).splitlines()
    assert summary.endswith("sets of declarations behind: 1")
    assert "declarations of" in why
    assert "changed_at -" in why


@pytest.mark.django_db
def test_an_audit_log_that_is_not_whole_is_named() -> None:
    for action in ("a", "b"):
        audit.record(action, actor="bench", subject_type="bench", subject="bench")
    audit_chain.seal()
    ledger = Ledger()
    ledger.check_audit()
    assert ledger.mistakes == []

    AuditEntry.objects.filter(action="a").delete()

    ledger.check_audit()
    (mistake,) = ledger.mistakes
    assert mistake.startswith("audit: 1: the entry")


@pytest.mark.parametrize(
    ("explains", "found"),
    [((), [SAID]), (("OperationalError",), [SAID]), (("ValueError",), [])],
)
def test_a_traceback_needs_a_fault_that_explains_it(
    tmp_path: Path, explains: tuple[str, ...], found: list[str]
) -> None:
    (tmp_path / "worker-0.log").write_text(TRACE.format("ValueError: second"))
    (tmp_path / "redis.log").write_text(TRACE.format("of another program"))
    logs = Logs(tmp_path)

    assert logs.unexplained(explains) == found
    assert logs.unexplained(()) == []  # once is enough


def test_what_was_set_aside_is_named_whatever_the_fault(tmp_path: Path) -> None:
    line = "2026-11-27 00:53:00,225 ERROR devices.services: a status report cannot be read report=7"
    (tmp_path / "worker-1.log").write_text(f"{line}\n")

    assert Logs(tmp_path).unexplained([""]) == [f"worker-1.log: {line}"]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept("sleeper", [sys.executable, "-c", PARENT], environment={}, log=tmp_path / "log")
    yield made
    made.close()


def test_a_killed_process_is_gone_with_all_that_it_started_and_comes_back(kept: Kept) -> None:
    eventually(lambda: len(kept.pids) == 2)
    before = kept.pids
    kept.kill(pause=0)

    eventually(lambda: not any(map(is_alive, before)))
    eventually(lambda: len(kept.pids) == 2)


def test_files_are_limited_now_and_after_a_start(kept: Kept) -> None:
    def limits(pids: list[int]) -> set[str]:
        texts = [Path(f"/proc/{pid}/limits").read_text() for pid in pids]
        return {line.split()[3] for text in texts for line in text.splitlines() if line.startswith("Max file size")}

    eventually(lambda: len(kept.pids) == 2)
    kept.limit_files(4096)
    assert limits(kept.pids) == {"4096"}
    kept.kill(pause=0)
    eventually(lambda: limits(kept.pids[:1]) == {"4096"})  # what it has started before that is as free as it was
    kept.limit_files(None)

    assert limits(kept.pids) == {"unlimited"}


@pytest.fixture
def echo() -> Iterator[BadNetwork]:
    """A network to somebody who says everything again."""

    async def say_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(100):
                writer.write(piece)
        finally:
            writer.close()

    class Echo(BadNetwork):
        async def open(self) -> None:
            self.echo = await asyncio.start_server(say_again, "127.0.0.1", 0)
            self._servers = [self.echo.sockets[0].getsockname()]
            await super().open()

        async def close(self) -> None:
            self.echo.close()
            await super().close()

    network = Echo([], random.Random(1))
    with opened(network):
        yield network


def connected(network: BadNetwork) -> socket.socket:
    caller = socket.create_connection(("127.0.0.1", network.port), timeout=10)
    caller.sendall(b"hello")
    return caller


def is_over(caller: socket.socket) -> bool:
    try:
        return caller.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_network_passes_on_and_breaks_off(echo: BadNetwork) -> None:
    with connected(echo) as caller:
        assert caller.recv(100) == b"hello"
        echo.break_all()
        assert is_over(caller)

    echo.breaks = 1
    with connected(echo) as caller:
        assert is_over(caller)
    assert echo.broken == 2


def test_a_silent_network_loses_nothing(echo: BadNetwork) -> None:
    echo.is_silent = True
    with connected(echo) as caller:
        caller.settimeout(timedelta(milliseconds=200).total_seconds())
        with pytest.raises(TimeoutError):
            caller.recv(100)
        echo.is_silent = False
        caller.settimeout(10)
        assert caller.recv(100) == b"hello"
