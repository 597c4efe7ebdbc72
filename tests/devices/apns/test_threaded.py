"""The door for code without an event loop: workers' threads, many at once."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices import apns
from devices.apns import PushIdentity, PushThread, UnusableIdentity
from devices.apns_standin import lab
from devices.apns_standin.script import Answer, Script
from devices.apns_standin.server import StandIn
from devices.protocol.push import Verdict
from tests.devices.apns.laboratory import QUICK, TOPIC, Laboratory, a_push, pushes, token
from tests.epmm.processes import eventually

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def standing_in(laboratory: Laboratory, script: Script | None = None) -> Iterator[StandIn]:
    """The stand-in in a loop and thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stand_in = laboratory.stand_in(script)
    try:
        asyncio.run_coroutine_threadsafe(stand_in.start(), loop).result(60)
        yield stand_in
        asyncio.run_coroutine_threadsafe(stand_in.close(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def push_thread() -> Iterator[PushThread]:
    thread = PushThread()
    try:
        yield thread
    finally:
        thread.close()


def another_identity(laboratory: Laboratory) -> PushIdentity:
    pem = lab.make_push_certificate(laboratory.files, topic=TOPIC, now=datetime.now(UTC))
    return PushIdentity(certificate=pem.certificate, key=pem.key)


def test_threads_share_one_connection(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, push_thread() as thread, ThreadPoolExecutor(8) as pool:
        server = laboratory.server(stand_in.port)
        calls = [
            pool.submit(thread.push, [a_push(number)], identity=laboratory.identity, server=server)
            for number in range(40)
        ]
        found = [call.result() for call in calls]

    assert [outcome.apns_id for (outcome,) in found] == [str(a_push(number).apns_id) for number in range(40)]
    assert stand_in.connected == 1


def test_a_renewed_certificate_gets_a_connection_of_its_own(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, push_thread() as thread:
        for identity in (laboratory.identity, another_identity(laboratory), laboratory.identity):
            outcomes = thread.push([a_push()], identity=identity, server=laboratory.server(stand_in.port))
            assert outcomes[0].kind is Verdict.ACCEPTED

        assert stand_in.connected == 2


def test_certificates_that_nobody_uses_any_more_lose_their_connection(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, push_thread() as thread:
        for _ in range(6):
            identity = another_identity(laboratory)
            thread.push([a_push()], identity=identity, server=laboratory.server(stand_in.port), limits=QUICK)

        assert stand_in.connected == 6
        eventually(lambda: len(stand_in.connections) <= 4)


def test_a_wrong_certificate_is_the_caller_s_to_know(laboratory: Laboratory) -> None:
    with push_thread() as thread, pytest.raises(UnusableIdentity):
        thread.push([a_push()], identity=PushIdentity(certificate=b"", key=b""))


def test_closing_lets_go_of_those_that_wait(laboratory: Laboratory) -> None:
    script = Script(answers={token(1).hex(): Answer(status=0)})
    with standing_in(laboratory, script) as stand_in, ThreadPoolExecutor(1) as pool:
        thread = PushThread()
        call = pool.submit(
            thread.push, [a_push(1)], identity=laboratory.identity, server=laboratory.server(stand_in.port)
        )
        assert not call.done()
        eventually(lambda: laboratory.seen)
        thread.close()
        assert [outcome.reason for outcome in call.result(60)] == ["shut down"]
        thread.close()


def test_the_process_has_one_thread_for_it(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in:
        server = laboratory.server(stand_in.port)
        try:
            for _ in range(2):
                assert apns.push([a_push()], identity=laboratory.identity, server=server)[0].kind is Verdict.ACCEPTED
            assert [thread.name for thread in threading.enumerate()].count("apns") == 1
        finally:
            apns.shut_down()
        assert stand_in.connected == 1
        assert "apns" not in [thread.name for thread in threading.enumerate()]


CHILD = """
import os, sys
from pathlib import Path
from devices import apns
from devices.protocol.push import Push

port, ca, certificate, key, topic = sys.argv[1:]
identity = apns.PushIdentity(certificate=Path(certificate).read_bytes(), key=Path(key).read_bytes())
server = apns.Server(host="localhost", port=int(port), trust=Path(ca))

def push():
    pushes = [Push(token=b"x" * 32, magic="m", topic=topic, expiration=0)]
    (outcome,) = apns.push(pushes, identity=identity, server=server)
    print(outcome.kind.value, flush=True)

push()
child = os.fork()
push()
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_process_starts_its_own_and_both_end_by_themselves(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "push.pem").write_bytes(laboratory.pem.certificate)
    (tmp_path / "push.key").write_bytes(laboratory.pem.key)
    files = [str(laboratory.files.ca), str(tmp_path / "push.pem"), str(tmp_path / "push.key")]
    with standing_in(laboratory) as stand_in:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", CHILD, str(stand_in.port), *files, TOPIC],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        eventually(lambda: stand_in.farewells == 2)

    assert ended.stdout.split() == ["accepted"] * 3
    assert stand_in.connected == 2


def test_thousands_through_the_thread(laboratory: Laboratory) -> None:
    with standing_in(laboratory) as stand_in, push_thread() as thread:
        outcomes = thread.push(pushes(1500), identity=laboratory.identity, server=laboratory.server(stand_in.port))

    assert {outcome.kind for outcome in outcomes} == {Verdict.ACCEPTED}
