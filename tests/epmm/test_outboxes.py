"""Work that waits in tables of its own is rung for while there is any."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from epmm import dispatcher, health, jobs, tasks

pytestmark = pytest.mark.django_db
KIND = "tests.outbox"


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An outbox of one test; its handler takes the last row."""
    rows: list[str] = []
    monkeypatch.setattr(jobs, "OUTBOXES", {})
    monkeypatch.setattr(jobs, "HANDLERS", {})
    jobs.handles(KIND, outbox=lambda: bool(rows))(rows.clear)
    return rows


@pytest.fixture
def failing(waiting: list[str], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    def fail() -> None:
        raise OSError

    rests: list[float] = []
    monkeypatch.setattr("epmm.tasks.sleep", rests.append)
    jobs.handles(KIND)(fail)
    return rests


def rings() -> list[str]:
    heard: list[str] = []
    dispatcher.ring_for_outboxes(heard.append)
    return heard


def test_an_outbox_is_rung_for_until_it_is_empty(waiting: list[str]) -> None:
    assert rings() == []
    waiting.append("row")
    assert rings() == rings() == [KIND]

    tasks.drain(KIND)

    assert rings() == []
    assert health.worker_beats()


def test_nothing_is_drained_twice_at_once(waiting: list[str]) -> None:
    drained: list[int] = []

    def handler() -> None:
        drained.append(1)
        in_a_thread(lambda: tasks.drain(KIND))

    jobs.handles(KIND)(handler)
    tasks.drain(KIND)
    tasks.drain(KIND)

    assert len(drained) == 2


def test_a_failure_is_logged_rested_upon_and_tried_again(
    failing: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    tasks.drain(KIND)
    tasks.drain(KIND)

    assert failing == [2.0, 2.0]
    assert [record.getMessage() for record in caplog.records] == ["an outbox could not be worked off"] * 2


def test_a_ring_that_nobody_hears_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[object, ...]] = []

    def send(arguments: tuple[str, ...], *, expires: int, retry: bool) -> None:
        sent.append((arguments, expires, retry))

    monkeypatch.setattr(tasks.drain, "apply_async", send)

    tasks.ring_for_outbox(KIND)

    assert sent == [((KIND,), 5, False)]


def test_the_dispatcher_rings_for_outboxes_until_it_is_stopped(
    waiting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PERIODIC", {"tests.periodic": timedelta(hours=1)})
    waiting.append("row")
    stop = threading.Event()

    def ring(kind: str) -> None:
        assert kind == KIND
        stop.set()

    dispatcher.run(lambda _: None, ring, stop)

    assert stop.is_set()


def in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
