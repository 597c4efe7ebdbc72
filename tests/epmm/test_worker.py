"""The worker as the process that it is: killed, restarted, stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from epmm import health, request_id
from epmm.models import Job
from tests.epmm.processes import ROOT, eventually, own_redis

JOBS, HELD_FROM, FLOOD = 40, 10, 1000


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    file = tmp_path / "notes"
    file.touch()
    return file


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.service("redis"))])
def broker(request: pytest.FixtureRequest) -> str:
    """Where the worker is rung: in its own memory, or by way of a Redis that no other test uses meanwhile."""
    return "memory://" if request.param == "memory" else own_redis()


@pytest.fixture
def start(broker: str, notes: Path, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    command = [sys.executable, "-m", "tests.epmm.noting_worker", str(connection.settings_dict["NAME"]), str(notes)]
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("ab"))

        def begin() -> subprocess.Popen[bytes]:
            environment = os.environ | {"EPMM_BROKER_URL": broker}
            process = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )
            stack.callback(process.kill)
            return process

        yield begin


def noted(notes: Path) -> list[int]:
    return [int(line) for line in notes.read_text().splitlines()]


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_loses_no_job(start: Callable[[], subprocess.Popen[bytes]], notes: Path, broker: str) -> None:
    for number in range(JOBS):
        Job.enqueue("tests.note", number=number)
    hold = notes.with_suffix(".hold")
    hold.write_text(str(HELD_FROM))
    in_hand = Job.objects.open().filter(kind="tests.note", lease_until__isnull=False)

    first = start()
    eventually(lambda: len(noted(notes)) == HELD_FROM and in_hand.count() == 2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    hold.unlink()

    second = start()
    alone = (connection.vendor, broker) == ("sqlite", "memory://")
    if not alone:  # other workers may live: what a dead one held comes back when its lease ends
        Job.objects.open().update(lease_until=timezone.now(), rung_until=timezone.now())
    eventually(lambda: not Job.objects.open().filter(kind="tests.note").exists())

    assert set(noted(notes)) == set(range(JOBS))  # one that was killed between its work and its mark works twice
    assert Job.objects.filter(kind="tests.note", attempts__gt=1).count() >= 2  # those that the killed one held
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=60) == os.EX_OK


@pytest.mark.django_db(transaction=True)
def test_jobs_that_take_long_and_a_flood_of_them_keep_no_outbox_waiting(
    start: Callable[[], subprocess.Popen[bytes]], notes: Path
) -> None:
    Job.enqueue_each("tests.note", ({"number": number} for number in range(FLOOD)))
    hold = notes.with_suffix(".hold")
    hold.write_text("0")
    in_hand = Job.objects.open().filter(kind="tests.note", lease_until__isnull=False)

    worker = start()
    # what is there to say that it lives waits behind all that came before
    eventually(lambda: health.worker_beats() and in_hand.count() == 2)
    notes.with_suffix(".outbox").touch()
    eventually(lambda: noted(notes) == [-1])

    assert in_hand.count() == 2
    hold.unlink()
    eventually(lambda: len(noted(notes)) > 2)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == os.EX_OK


@pytest.mark.django_db(transaction=True)
def test_a_running_worker_finds_new_work_and_keeps_what_is_periodic_coming(
    start: Callable[[], subprocess.Popen[bytes]], notes: Path, tmp_path: Path
) -> None:
    worker = start()
    eventually(lambda: Job.objects.filter(kind="epmm.forget_finished_jobs").exclude(done_at=None).exists())

    with request_id.known_as("request-of-anna"):
        Job.enqueue("tests.note", number=7)

    eventually(lambda: noted(notes) == [7])
    kinds = set(Job.objects.values_list("kind", flat=True))
    assert {"epmm.forget_finished_jobs", "users.forget_failed_sign_ins"} <= kinds
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == os.EX_OK
    assert Job.objects.get(kind="tests.note").done_at is not None
    assert "INFO tests.note: noted number=7 request_id=request-of-anna\n" in (tmp_path / "log").read_text()
    assert "epmm.urls" not in notes.with_suffix(".loaded").read_text().split(), "it has no use for pages"
