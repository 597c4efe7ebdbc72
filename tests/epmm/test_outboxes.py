"""Work that waits in tables of its own is worked off while there is any."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from django.db import connections

from epmm import health, jobs, outboxes
from epmm.outboxes import Outboxes
from tests.epmm.processes import eventually

pytestmark = pytest.mark.django_db(transaction=True)
KIND: Final = "tests.outbox"


@pytest.fixture(autouse=True)
def _no_connection_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker keeps those of its threads."""
    monkeypatch.setattr(outboxes, "close_old_connections", connections.close_all)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An outbox of one test; its handler takes the last row."""
    rows: list[str] = []
    monkeypatch.setattr(jobs, "OUTBOXES", {})
    monkeypatch.setattr(jobs, "HANDLERS", {})
    jobs.handles(KIND, outbox=lambda: bool(rows))(rows.clear)
    return rows


@contextmanager
def running() -> Iterator[None]:
    """As in a worker."""
    stop = threading.Event()
    thread = threading.Thread(target=Outboxes().run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def failing(waiting: list[str], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    def fail() -> None:
        raise OSError

    rests: list[float] = []
    monkeypatch.setattr("epmm.outboxes.sleep", rests.append)
    jobs.handles(KIND)(fail)
    return rests


def test_an_outbox_is_worked_off_whenever_there_is_something(waiting: list[str]) -> None:
    with running():
        for _ in range(2):
            waiting.append("row")
            eventually(lambda: not waiting)

    assert health.worker_beats()


def test_one_that_hangs_keeps_no_other_waiting_and_is_not_begun_twice(waiting: list[str]) -> None:
    go_on, begun, others = threading.Event(), list[str](), list[str]()

    def hang() -> None:
        begun.append(KIND)
        go_on.wait(20)
        waiting.clear()

    jobs.handles(KIND)(hang)
    jobs.handles("tests.other", outbox=lambda: bool(others))(others.clear)
    waiting.append("row")
    with running():
        eventually(lambda: begun)
        for _ in range(3):
            others.append("row")
            eventually(lambda: not others)
        assert begun == [KIND]
        go_on.set()
        eventually(lambda: not waiting)


def test_a_failure_is_logged_rested_upon_and_tried_again(
    failing: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    outboxes.drain(KIND)
    outboxes.drain(KIND)

    assert failing == [2.0, 2.0]
    assert [record.getMessage() for record in caplog.records] == ["an outbox could not be worked off"] * 2


def test_a_worker_that_is_to_stop_ends_what_is_at_work(waiting: list[str]) -> None:
    begun, go_on, stop = threading.Event(), threading.Event(), threading.Event()

    def handler() -> None:
        begun.set()
        go_on.wait(20)
        waiting.clear()

    jobs.handles(KIND)(handler)
    waiting.append("row")
    worker = threading.Thread(target=Outboxes().run, args=(stop,))
    worker.start()
    begun.wait(20)
    stop.set()
    worker.join(0.5)

    assert worker.is_alive()
    go_on.set()
    worker.join()
    assert not waiting
