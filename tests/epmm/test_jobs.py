"""The job table: what is written is done once or more, whatever dies in between."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from epmm import health, jobs, models, tasks
from epmm.doorbell import Doorbell
from epmm.models import BEAT, FIRST_RETRY, LAST_RETRY, LEASE, Heartbeat, Job
from tests.epmm.processes import eventually
from tests.together import together

KIND = "tests.work"
Arguments = dict[str, object]


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch) -> list[Arguments]:
    """What the handler of this test was called with."""
    calls: list[Arguments] = []
    monkeypatch.setattr(jobs, "HANDLERS", {})
    monkeypatch.setattr(jobs, "PERIODIC", {})
    jobs.handles(KIND)(lambda **arguments: calls.append(arguments))
    return calls


@pytest.fixture
def rung(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The job ids that went to a broker."""
    heard: list[int] = []
    settings.BROKER_URL = "redis://broker.example.test/0"

    def send(arguments: tuple[int], *, retry: bool) -> None:
        assert not retry, "the dispatcher rings again"
        heard.append(*arguments)

    monkeypatch.setattr("epmm.celery.has_room", lambda: True)
    monkeypatch.setattr(tasks.run_job, "apply_async", send)
    return heard


def enqueued(**given: object) -> Job:
    Job.enqueue(KIND, **given)  # type: ignore[arg-type] # each test gives what fits
    return Job.objects.latest("pk")


def fail_with(error: Exception) -> Callable[..., None]:
    def handler(**_: object) -> None:
        raise error

    return handler


@pytest.mark.django_db
def test_a_job_is_done_once(done: list[Arguments]) -> None:
    job = enqueued(device=7, note="ä")

    tasks.run_job(job.pk)
    tasks.run_job(job.pk)

    assert done == [{"device": 7, "note": "ä"}]
    job.refresh_from_db()
    assert job.done_at is not None
    assert (job.attempts, job.lease_until, job.last_error) == (1, None, "")


@pytest.mark.django_db
def test_a_job_that_does_not_exist_is_no_error(done: list[Arguments], caplog: pytest.LogCaptureFixture) -> None:
    tasks.run_job(12345)

    assert (done, caplog.records) == ([], [])


@pytest.mark.django_db(transaction=True)
def test_the_broker_is_rung_after_the_commit_and_never_without_one(rung: list[int]) -> None:
    with transaction.atomic():
        job = enqueued()
        tasks.doorbell.wait()
        assert rung == []
    tasks.doorbell.wait()
    assert rung == [job.pk]

    with transaction.atomic():
        enqueued()
        transaction.set_rollback(True)
    tasks.doorbell.wait()
    assert rung == [job.pk]
    assert list(Job.objects.all()) == [job]


@pytest.mark.django_db
def test_embedded_there_is_no_broker_to_ring(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    monkeypatch.setattr(tasks.run_job, "apply_async", fail_with(AssertionError()))

    with django_capture_on_commit_callbacks(execute=True) as rings:
        enqueued()

    assert len(rings) == 1


@pytest.mark.django_db
def test_a_broker_that_is_away_harms_nobody(
    rung: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.run_job, "apply_async", away)

    with django_capture_on_commit_callbacks(execute=True):
        job = enqueued()
    tasks.doorbell.wait()

    assert caplog.messages == ["the broker does not answer; the dispatcher will ring later"]
    assert job in Job.objects.due(timezone.now())


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_holds_enough_is_not_rung(rung: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.celery.has_room", lambda: False)

    job = enqueued()
    tasks.doorbell.wait()

    assert rung == []
    assert job in Job.objects.due(timezone.now())


@pytest.mark.django_db
def test_a_broker_that_hangs_holds_up_nobody(
    rung: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    release = threading.Event()
    bell = Doorbell(lambda _: release.wait(10))
    bell._waiting.maxsize = 2
    monkeypatch.setattr(tasks, "doorbell", bell)

    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(5):
            enqueued()

    assert set(caplog.messages) == {"the broker is too slow; the dispatcher will ring later"}
    release.set()
    bell.wait()


@pytest.mark.django_db(transaction=True)
def test_a_job_that_takes_long_is_not_begun_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "LEASE", timedelta(seconds=6))
    job = enqueued()

    with Job.leased(job.pk):
        Heartbeat.objects.all().delete()
        Job.objects.update(lease_until=None)
        eventually(lambda: Job.objects.get().lease_until)
        with Job.leased(job.pk) as another:
            assert another is None
        eventually(health.worker_beats)  # renewed first, and then it beats

    job.refresh_from_db()
    assert job.done_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("before", "is_written"),
    [
        (None, True),
        (-BEAT / 2, False),
        (-BEAT * 2, True),
        (timedelta(hours=1), True),
    ],  # the last by a clock that was ahead
)
def test_whoever_takes_a_job_beats_now_and_then(before: timedelta | None, is_written: bool) -> None:  # noqa: FBT001
    began = timezone.now()
    if before is not None:
        Heartbeat.objects.create(name="worker", at=began + before)

    tasks.run_job(enqueued().pk)

    at = Heartbeat.objects.get(name="worker").at
    assert (began <= at <= timezone.now()) is is_written


@pytest.mark.django_db
def test_one_open_job_holds_a_key(done: list[Arguments]) -> None:
    for number in (1, 2):
        Job.enqueue(KIND, dedupe_key="one", number=number)
        Job.enqueue(KIND, dedupe_key=f"other {number}", number=number)
        Job.enqueue(KIND, number=number)
    assert Job.objects.count() == 5

    tasks.run_job(Job.objects.get(dedupe_key="one").pk)
    Job.enqueue(KIND, dedupe_key="one", number=3)

    assert done == [{"number": 1}]
    assert Job.objects.open().get(dedupe_key="one").arguments == {"number": 3}


@pytest.mark.django_db
def test_a_key_that_is_taken_does_not_end_the_callers_transaction() -> None:
    with transaction.atomic():
        Job.enqueue(KIND, dedupe_key="one")
        Job.enqueue(KIND, dedupe_key="one")
        assert Job.objects.count() == 1


@pytest.mark.django_db
def test_a_leased_job_is_left_alone_until_the_lease_is_over() -> None:
    job = enqueued()

    with Job.leased(job.pk) as mine:
        assert mine is not None
        with Job.leased(job.pk) as other:
            assert other is None
        Job.objects.update(lease_until=timezone.now())  # as if this worker had died and time had passed
        with Job.leased(job.pk) as heir:
            assert heir is not None
            assert heir.attempts == 2


@pytest.mark.django_db
def test_a_worker_that_was_given_up_takes_nothing_from_its_heir() -> None:
    def fail_late() -> None:
        Job.objects.update(lease_until=timezone.now() + LEASE, attempts=2)  # another has taken the job over
        raise ZeroDivisionError

    jobs.handles(KIND)(fail_late)
    job = enqueued()

    tasks.run_job(job.pk)
    with Job.leased(job.pk) as third:
        assert third is None

    job.refresh_from_db()
    assert (job.done_at, job.attempts, job.last_error) == (None, 2, "")


@pytest.mark.django_db
def test_a_failure_puts_the_job_off_longer_each_time(caplog: pytest.LogCaptureFixture) -> None:
    jobs.handles(KIND)(fail_with(ConnectionError("secret-address:5432")))
    job = enqueued()

    for seconds in (5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600):
        before = timezone.now()
        tasks.run_job(job.pk)
        job.refresh_from_db()
        assert before <= job.run_at - timedelta(seconds=seconds) <= timezone.now()
        assert job not in Job.objects.due(before)
        assert job in Job.objects.due(job.run_at)
        Job.objects.update(run_at=before)

    assert (timedelta(seconds=5), timedelta(hours=1)) == (FIRST_RETRY, LAST_RETRY)
    assert (job.attempts, job.done_at, job.last_error) == (12, None, "ConnectionError")
    assert set(caplog.messages) == {"a job failed and will be tried again"}


@pytest.mark.django_db
def test_after_enough_failures_a_job_still_succeeds(done: list[Arguments]) -> None:
    job = enqueued()
    Job.objects.update(attempts=100_000, last_error="ConnectionError")

    tasks.run_job(job.pk)

    job.refresh_from_db()
    assert len(done) == 1
    assert job.done_at is not None
    assert job.last_error == ""


@pytest.mark.django_db
def test_a_kind_that_nobody_handles_waits_for_a_release_that_does() -> None:
    Job.enqueue("tests.unknown")
    job = Job.objects.get()

    tasks.run_job(job.pk)

    job.refresh_from_db()
    assert (job.done_at, job.last_error) == (None, "KeyError")


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_once_one_does_the_job(done: list[Arguments]) -> None:
    pks = [enqueued(number=number).pk for number in range(5)]

    for pk in pks:
        together(*[lambda pk=pk: tasks.run_job(pk)] * 3)

    assert sorted(str(call) for call in done) == [str({"number": number}) for number in range(5)]
    assert set(Job.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.django_db
def test_finished_jobs_are_forgotten_after_a_while() -> None:
    old, recent, waiting = enqueued(), enqueued(), enqueued()
    long_ago = timezone.now() - tasks.KEPT
    Job.objects.filter(pk=old.pk).update(done_at=long_ago - timedelta(seconds=1))
    Job.objects.filter(pk=recent.pk).update(done_at=long_ago + timedelta(minutes=1))
    Job.objects.filter(pk=waiting.pk).update(run_at=long_ago - timedelta(days=100))

    tasks.forget_finished_jobs()

    assert set(Job.objects.all()) == {recent, waiting}
    assert str(waiting) == f"{KIND} {waiting.pk}"
