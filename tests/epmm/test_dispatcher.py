import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from epmm import dispatcher, jobs
from epmm.celery import JOBS, has_room
from epmm.models import LEASE, RING_AGAIN, Job
from tests.epmm.processes import own_redis
from tests.together import together

KIND = "tests.work"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _own_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in ("HANDLERS", "PERIODIC", "OUTBOXES"):
        monkeypatch.setattr(jobs, registry, {})
    jobs.handles(KIND)(lambda: None)


def waiting(*, since: timedelta = timedelta(0), **columns: datetime | None) -> int:
    return Job.objects.create(kind=KIND, run_at=timezone.now() - since, **columns).pk


def rung() -> list[int]:
    heard: list[int] = []
    dispatcher.dispatch_due(heard.append)
    return heard


@pytest.mark.django_db
def test_what_is_due_is_rung_for_the_oldest_first() -> None:
    later, first = waiting(since=timedelta(minutes=1)), waiting(since=HOUR)
    waiting(since=-HOUR)  # in the future
    waiting(since=HOUR, done_at=timezone.now())
    waiting(since=HOUR, lease_until=timezone.now() + LEASE)

    assert rung() == [first, later]


@pytest.mark.django_db
def test_a_row_that_nobody_was_told_of_is_found() -> None:
    """As after a crash between the commit and the doorbell."""
    Job.enqueue(KIND, dedupe_key="one")

    assert rung() == [Job.objects.get().pk]


@pytest.mark.django_db
def test_a_doorbell_that_nobody_heard_is_rung_again_after_a_while() -> None:
    pk = waiting()
    assert rung() == [pk]
    assert rung() == []

    before = timezone.now()
    Job.objects.update(rung_until=before)

    assert rung() == [pk]
    rung_until = Job.objects.get().rung_until
    assert rung_until is not None
    assert before <= rung_until - RING_AGAIN <= timezone.now()


@pytest.mark.django_db
def test_a_lease_that_is_over_is_rung_for() -> None:
    pk = waiting(lease_until=timezone.now())

    assert rung() == [pk]


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["lease_until", "rung_until"])
def test_what_a_clock_that_was_ahead_put_off_does_not_wait_for_it(column: str) -> None:
    pk = waiting()
    Job.objects.update(**{column: timezone.now() + HOUR})

    assert rung() == [pk]
    with Job.leased(pk) as job:
        assert job is not None


@pytest.mark.django_db
def test_nothing_due_costs_one_read(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    waiting(since=-HOUR)

    with django_assert_num_queries(1):
        assert rung() == []


@pytest.mark.django_db
def test_a_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "BATCH", 2)
    pks = [waiting(since=HOUR - timedelta(minutes=number)) for number in range(3)]

    assert rung() == pks[:2]
    assert rung() == pks[2:]


@pytest.mark.django_db
def test_a_broker_that_holds_enough_is_rung_no_more_until_it_has_room() -> None:
    pk = waiting()
    heard: list[int] = []

    assert dispatcher.dispatch_due(heard.append, lambda: False) == 0
    assert Job.objects.get().rung_until is None, "nobody was told"
    assert dispatcher.dispatch_due(heard.append, lambda: True) == 1
    assert heard == [pk]


@pytest.fixture(params=["memory", "filesystem", pytest.param("redis", marks=pytest.mark.service("redis"))])
def broker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """With nobody who listens."""
    url, options = f"{request.param}://", {}
    if request.param == "filesystem":
        options = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path), "control_folder": str(tmp_path)}
    if request.param == "redis":
        url = own_redis()
    app = Celery("tests", broker=url, set_as_current=False)
    app.conf.update(broker_transport_options=options, task_ignore_result=True)
    monkeypatch.setattr("epmm.celery.app", app)
    lose_all(app)
    yield app
    app.close()


def lose_all(broker: Celery) -> None:
    with broker.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.queue_declare(JOBS, durable=True)
        channel.queue_purge(JOBS)


@pytest.mark.django_db
def test_a_job_that_nobody_takes_fills_no_broker(broker: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.celery.ENOUGH", 3)
    monkeypatch.setattr(dispatcher, "BATCH", 2)
    for _ in range(10):
        waiting()
    heard: list[int] = []

    def send(job_id: int) -> None:
        heard.append(job_id)
        broker.send_task("epmm.tasks.run_job", (job_id,))

    for _ in range(5):
        while dispatcher.dispatch_due(send, has_room):
            pass
        Job.objects.update(rung_until=timezone.now())  # half a minute later

    assert len(heard) == 4
    lose_all(broker)
    assert dispatcher.dispatch_due(send, has_room) == 2


@pytest.mark.django_db(transaction=True)
def test_dispatchers_at_once_ring_once_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "BATCH", 10)
    pks = [waiting() for _ in range(30)]
    heard: list[int] = []

    def dispatch_all() -> None:
        while Job.objects.due(timezone.now()).exists():
            dispatcher.dispatch_due(heard.append)

    assert together(*[dispatch_all] * 3) == [None] * 3
    assert sorted(heard) == pks


@pytest.fixture
def periodic() -> timedelta:
    jobs.handles("tests.periodic", every=HOUR)(lambda: None)
    return HOUR


@pytest.mark.django_db
def test_a_periodic_job_comes_at_once_and_then_by_its_period(periodic: timedelta) -> None:
    dispatcher.keep_periodic_jobs_coming()
    dispatcher.keep_periodic_jobs_coming()
    first = Job.objects.get()
    assert (first.kind, first.dedupe_key) == ("tests.periodic", "tests.periodic")
    assert first.run_at <= timezone.now()

    with Job.leased(first.pk):
        dispatcher.keep_periodic_jobs_coming()
    assert Job.objects.count() == 1
    dispatcher.keep_periodic_jobs_coming()

    assert Job.objects.open().get().run_at == first.run_at + periodic


@pytest.mark.django_db
@pytest.mark.parametrize("is_done", [False, True])
def test_a_periodic_job_does_not_wait_for_a_clock_that_was_ahead(periodic: timedelta, *, is_done: bool) -> None:
    ahead = timezone.now() + 2 * periodic
    done_at = ahead if is_done else None
    Job.objects.create(kind="tests.periodic", dedupe_key="tests.periodic", run_at=ahead, done_at=done_at)
    dispatcher.keep_periodic_jobs_coming()

    assert Job.objects.open().get().run_at <= timezone.now()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("created", "waits", "attempts", "found"),
    [
        (HOUR, timedelta(0), 0, timedelta(0)),
        (HOUR, timedelta(minutes=15), 0, timedelta(minutes=15)),  # as long as it was to wait
        (timedelta(0), HOUR, 0, HOUR),
        (timedelta(0), HOUR, 1, timedelta(0)),  # it failed in that hour
        (timedelta(0), HOUR, 20, HOUR),
    ],
)
def test_what_a_clock_that_was_ahead_had_wait_is_done_in_its_time(
    created: timedelta, waits: timedelta, attempts: int, found: timedelta
) -> None:
    now = timezone.now()
    Job.enqueue("tests.later", run_at=now + created + waits)
    job = Job.objects.get()
    assert job.created_at is not None
    Job.objects.update(created_at=job.created_at + created, attempts=attempts)

    for _ in range(2):
        dispatcher.bring_back_what_is_late()
        assert abs(Job.objects.get().run_at - now - found) < timedelta(minutes=1)


@pytest.mark.django_db
def test_a_period_missed_is_made_up_for_once(periodic: timedelta) -> None:
    long_ago = timezone.now() - 10 * periodic
    Job.objects.create(kind="tests.periodic", run_at=long_ago, done_at=long_ago)

    before = timezone.now()
    dispatcher.keep_periodic_jobs_coming()

    assert before <= Job.objects.open().get().run_at <= timezone.now()


@pytest.mark.django_db
def test_looking_at_what_is_periodic_costs_one_read(
    periodic: timedelta, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        jobs.handles(f"tests.periodic{number}", every=HOUR)(lambda: None)
    dispatcher.keep_periodic_jobs_coming()

    with django_assert_num_queries(1):
        dispatcher.keep_periodic_jobs_coming()


@pytest.mark.django_db(transaction=True)
def test_dispatchers_at_once_keep_one_periodic_job(periodic: timedelta) -> None:
    assert together(*[dispatcher.keep_periodic_jobs_coming] * 3) == [None] * 3

    assert Job.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("broker", "vendor", "freed"),
    [
        ("memory://", "sqlite", True),
        ("redis://broker.example.test/0", "sqlite", False),
        ("memory://", "postgresql", False),
    ],
)
def test_an_embedded_worker_takes_over_what_a_killed_one_held(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, broker: str, vendor: str, *, freed: bool
) -> None:
    settings.BROKER_URL = broker
    monkeypatch.setattr("epmm.dispatcher.connection.vendor", vendor)
    pk = waiting(lease_until=timezone.now() + RING_AGAIN, rung_until=timezone.now() + RING_AGAIN)

    dispatcher.take_over()

    assert Job.objects.due(timezone.now()).filter(pk=pk).exists() == freed


class Loop:
    """Stands in for the stop event: lets the loop turn a number of times, and advances the clock at each pause."""

    def __init__(self, turns: int) -> None:
        self.left, self.pauses, self.now = turns, list[float](), 1000.0

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Loop]:
    def turning(turns: int) -> Loop:
        made = Loop(turns)
        monkeypatch.setattr("epmm.dispatcher.time.monotonic", lambda: made.now)
        return made

    return turning


def run(send: Callable[[int], object], loop: Loop) -> None:
    dispatcher.run(send, lambda: True, loop)  # type: ignore[arg-type] # a stand-in for threading.Event


@pytest.mark.django_db
def test_the_loop_rings_for_whole_batches_without_a_pause(
    loop: Callable[[int], Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "BATCH", 2)
    pks = [waiting() for _ in range(5)]
    heard: list[int] = []
    turns = loop(1)

    run(heard.append, turns)

    assert sorted(heard) == pks
    assert turns.pauses == [dispatcher.PAUSE_SECONDS]


@pytest.mark.django_db
def test_what_is_periodic_is_looked_at_every_ten_seconds(
    loop: Callable[[int], Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    turns = loop(110)
    monkeypatch.setattr(dispatcher, "keep_periodic_jobs_coming", lambda: looks.append(round(turns.now)))

    run(lambda _: None, turns)

    assert looks == [1000, 1010, 1020]


@pytest.mark.django_db
def test_a_database_that_is_away_for_a_while_ends_nothing(
    loop: Callable[[int], Loop], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pk = waiting()
    heard: list[int] = []
    real, answers = dispatcher.dispatch_due, iter([OperationalError(), OperationalError()])

    def sometimes(send: Callable[[int], object], has_room: Callable[[], bool]) -> int:
        if error := next(answers, None):
            raise error
        return real(send, has_room)

    monkeypatch.setattr(dispatcher, "dispatch_due", sometimes)
    monkeypatch.setattr(dispatcher, "close_old_connections", lambda: None)  # the test's own is in a transaction
    turns = loop(3)

    run(heard.append, turns)

    assert heard == [pk]
    assert turns.pauses == [2.0, 2.0, 0.2]
    assert caplog.messages == ["a worker could not look for work"] * 2


@pytest.mark.django_db
def test_a_dispatcher_that_is_stopped_does_nothing() -> None:
    waiting()
    stop = threading.Event()
    stop.set()

    dispatcher.run(lambda _: pytest.fail("rang"), lambda: True, stop)
