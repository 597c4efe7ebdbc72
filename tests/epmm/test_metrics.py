"""What monitoring is told, by whom it may be asked, and that asking often costs nothing."""

import asyncio
import itertools
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import Histogram
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from devices.models import Command, Device, Result, StatusReport, Wake
from devices.protocol.push import Verdict
from devices.services import figures as device_figures
from enrollment.services import authorities
from enrollment.services import figures as enrollment_figures
from epmm import figures, jobs, metrics, work_figures
from epmm.figures import Figure
from epmm.models import Heartbeat, Job
from epmm.tasks import run_job
from tests.devices.services import rows
from tests.epmm.processes import ROOT


@pytest.fixture(autouse=True)
def asked_anew() -> None:
    for source in figures.SOURCES:
        source.forget()


def page(client: Client) -> dict[str, float]:
    lines = client.get("/metrics").content.decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def values(found: Any) -> dict[str, float]:
    return {figure.name: figure.value for figure in found}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("127.0.0.1", "", 200),
        ("::1", "", 200),
        ("198.51.100.7", "", 404),
        ("198.51.100.7", "127.0.0.1", 404),
        ("192.0.2.1", "127.0.0.1", 200),
        ("192.0.2.1", "198.51.100.7", 404),
        ("192.0.2.1", "", 404),
        ("192.0.2.1", "nonsense", 404),
    ],
)
def test_only_listed_addresses_may_read_it(
    client: Client, settings: Settings, peer: str, forwarded: str, status: int
) -> None:
    settings.TRUSTED_PROXIES = ["192.0.2.1"]
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = client.get("/metrics", headers=headers, REMOTE_ADDR=peer)
    unknown = client.get("/no-such-page", headers=headers, REMOTE_ADDR=peer)

    assert answer.status_code == status
    if status == 404:
        assert answer.content == unknown.content, "it does not tell that there is something"


@pytest.mark.django_db
def test_asking_twice_asks_the_database_once(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    page(client)

    with django_assert_num_queries(0):
        page(client)


@pytest.mark.django_db
def test_a_database_that_is_away_is_a_figure(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DatabaseError

    assert page(client)["epmm_database_up"] == 1
    monkeypatch.setattr(figures, "SOURCES", [figures.Source(fail, 15)])  # type: ignore[arg-type] # it only raises
    told = page(client)

    assert told["epmm_database_up"] == 0
    assert "epmm_door_waiting" in told


@pytest.mark.django_db
def test_the_queue_is_as_old_as_its_oldest_open_command(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    assert values(device_figures.queue()) == {"epmm_commands_open": 0, "epmm_commands_oldest_seconds": 0}
    channel = rows.channel_of(rows.enrolled())
    answered, oldest, _ = [rows.command(channel, "DeviceInformation") for _ in range(3)]
    rows.answered(answered)
    Command.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(hours=1))

    with django_assert_num_queries(2):
        found = values(device_figures.queue())
    assert found["epmm_commands_open"] == 2
    assert 3600 <= found["epmm_commands_oldest_seconds"] < 3700


@pytest.mark.django_db
def test_counting_stops_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 2)
    channel = rows.channel_of(rows.enrolled())
    for _ in range(3):
        rows.command(channel, "DeviceInformation")
        Job.enqueue("tests.nothing")

    assert values(device_figures.queue())["epmm_commands_open"] == 2
    assert values(work_figures.jobs())["epmm_jobs_open"] == 2


@pytest.mark.django_db
def test_a_job_that_is_put_off_is_open_and_not_late(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    now = timezone.now()
    Job.enqueue("tests.later", run_at=now + timedelta(hours=1))
    Job.enqueue("tests.late", run_at=now - timedelta(minutes=10))
    Job.enqueue("tests.running", run_at=now - timedelta(hours=5))
    Job.objects.filter(kind="tests.running").update(lease_until=now + timedelta(minutes=1))

    with django_assert_num_queries(3):
        found = values(work_figures.jobs())
    assert (found["epmm_jobs_open"], found["epmm_jobs_overdue"]) == (3, 1)
    assert 600 <= found["epmm_jobs_lag_seconds"] < 700


@pytest.mark.django_db
def test_a_worker_that_never_was_has_no_age() -> None:
    assert values(work_figures.heartbeat()) == {}
    Heartbeat.objects.create(name="worker", at=timezone.now() - timedelta(minutes=3))
    assert 180 <= values(work_figures.heartbeat())["epmm_worker_heartbeat_age_seconds"] < 200


@pytest.mark.django_db
def test_devices_by_status() -> None:
    rows.enrolled(udid="1")
    rows.enrolled(udid="2")
    rows.enrolled(udid="3", status=Device.Status.RETIRED)

    found = {figure.labels["status"]: figure.value for figure in device_figures.devices()}
    assert found == {"active": 2, "retired": 1}


@pytest.mark.django_db
def test_what_the_worker_has_not_read_grows_old(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    result = rows.answered(rows.command(rows.channel_of(rows.enrolled()), "DeviceInformation"))
    Result.objects.update(received_at=timezone.now() - timedelta(minutes=5))

    with django_assert_num_queries(1):
        found = values(device_figures.results())
    assert found["epmm_results_undigested"] == 1
    assert 300 <= found["epmm_results_oldest_seconds"] < 320
    result.delete()
    assert set(values(device_figures.results()).values()) == {0}


@pytest.mark.django_db
def test_so_does_a_report(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    channel = rows.channel_of(rows.enrolled())
    since = timezone.now() - timedelta(minutes=5)
    for is_read, received_at in ((True, since - timedelta(days=1)), (False, since), (False, timezone.now())):
        StatusReport.objects.create(channel=channel, body=b"{}", is_read=is_read, received_at=received_at)

    with django_assert_num_queries(1):
        found = values(device_figures.reports())
    assert found["epmm_reports_unread"] == 2
    assert 300 <= found["epmm_reports_oldest_seconds"] < 320


def explained(query: str) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # few rows are read sooner without an index
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{query}")
        return str(cursor.fetchall())


@pytest.mark.django_db
def test_pushes_that_are_due_are_counted_and_grow_old_by_their_indexes(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(values(device_figures.pushes()).values()) == {0}
    now = timezone.now()
    channel = rows.channel_of(rows.enrolled())
    late, pushed = rows.command(channel, "DeviceInformation"), rows.command(channel, "ProfileList")
    Command.objects.filter(pk=late.pk).update(push_at=now - timedelta(minutes=5))
    Command.objects.filter(pk=pushed.pk).update(push_at=now + timedelta(days=1))
    Wake.objects.create(channel=channel, at=now - timedelta(minutes=10))

    with django_assert_num_queries(4), CaptureQueriesContext(connection) as asked:
        found = values(device_figures.pushes())
    assert found["epmm_pushes_due"] == 2
    assert 600 <= found["epmm_pushes_oldest_seconds"] < 620
    for query in asked:
        assert re.search("command_push|devices_wake_at", way := explained(query["sql"])), way
    monkeypatch.setattr(figures, "MOST", 1)
    assert values(device_figures.pushes())["epmm_pushes_due"] == 1


@pytest.mark.django_db
def test_certificates_say_when_they_end(settings: Settings, tmp_path: Path) -> None:
    authorities.forget_cached()
    authorities.scep_ra()
    settings.TLS_CERTIFICATE = tmp_path / "nothing.pem"
    settings.SIGNING_CERTIFICATE = None
    days = {figure.labels["certificate"]: figure.value for figure in enrollment_figures.certificates()}

    assert days["scep_ra"] > 300
    assert days["tls"] == 0, "what cannot be read is as good as ended"
    assert "signing" not in days


@pytest.mark.django_db
def test_every_exported_figure_is_of_a_bounded_set(client: Client) -> None:
    for path in ("/enroll/sign-in/state", "/a/b", "/c", "//", "/%00", "/admin/x"):
        client.get(path)
    endpoints = {line.split('endpoint="')[1].split('"')[0] for line in page(client) if "front_request" in line}

    assert {"enroll", "admin", "other"} <= endpoints
    assert endpoints <= metrics.ENDPOINTS | {metrics.OTHER}


def counted(counter: Any, **labels: str) -> float:
    return float(metrics.registry.get_sample_value(counter, labels) or 0)


def test_a_push_counts_by_its_verdict() -> None:
    before = {name: counted("epmm_pushes_total", verdict=name) for name in ("accepted", "other")}
    metrics.count_push("accepted", 3)
    metrics.count_push("whatever a server may say")

    assert counted("epmm_pushes_total", verdict="accepted") == before["accepted"] + 3
    assert counted("epmm_pushes_total", verdict="other") == before["other"] + 1


def test_every_verdict_of_the_push_service_has_its_own_figure() -> None:
    assert {verdict.value for verdict in Verdict} == metrics.PUSH_VERDICTS


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_a_job_counts_by_its_outcome(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    def handler() -> None:
        if outcome == "failed":
            raise ZeroDivisionError

    monkeypatch.setitem(jobs.HANDLERS, "tests.counted", handler)
    labels = {"kind": "tests.counted", "outcome": outcome}
    before = counted("epmm_job_seconds_count", **labels)
    Job.enqueue("tests.counted")
    run_job(Job.objects.get().pk)

    assert counted("epmm_job_seconds_count", **labels) == before + 1


COUNTING = """
import sys
from pathlib import Path
from epmm import metrics_files
place = metrics_files.begin("web", Path(sys.argv[1]))
from epmm import metrics
metrics.count_push("accepted")
metrics.door_waiting.inc()
read = metrics.collected().collect
names = ("epmm_pushes_total", "epmm_door_waiting")
print(place, *(s.value for m in read() for s in m.samples if s.name in names and s.value), flush=True)
sys.stdin.read()
"""


class Process:
    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-c", COUNTING, str(directory)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout
        self.said = self._process.stdout.readline().split()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_processes_count_together_and_go_on_where_a_predecessor_stopped(tmp_path: Path) -> None:
    first, second = Process(tmp_path), Process(tmp_path)
    try:
        assert (first.said[0], sorted(first.said[1:])) == ("web-0", ["1.0", "1.0"])
        assert (second.said[0], sorted(second.said[1:])) == ("web-1", ["2.0", "2.0"])
        first.kill()
        third = Process(tmp_path)
        # three pushes were counted; but of those inside, one died
        assert (third.said[0], sorted(third.said[1:])) == ("web-0", ["2.0", "3.0"])
        third.kill()
    finally:
        first.kill()
        second.kill()

    anew = Process(tmp_path)
    anew.kill()
    assert anew.said == ["web-0", "1.0", "1.0"], "nobody was there, so nothing is continued"


def test_what_alarms_at_the_first_is_told_before() -> None:
    """Prometheus sees no increase in what begins with 1."""
    program = """if True:
        from epmm import metrics
        metrics.DoorFigures()
        told = metrics.registry.get_sample_value
        print(told("epmm_door_answers_total", {"endpoint": "connect", "status": "401"}))
        print(told("epmm_pushes_total", {"verdict": "wrong_server"}))
    """
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["0.0", "0.0"]


def test_a_figure_keeps_to_one_name_and_one_set_of_labels() -> None:
    figure = Figure(name="a", help="b", value=1, labels={"x": "1"})
    families = list(figures._families([figure, Figure(name="a", help="b", value=2, labels={"x": "2"})]))

    assert [[sample.value for sample in family.samples] for family in families] == [[1, 2]]


def test_an_idle_connect_is_counted_by_status() -> None:
    door = metrics.DoorFigures()
    before = counted("epmm_door_answers_total", endpoint="connect", status="403")
    for path, refusal in itertools.product(("/mdm/connect", "/elsewhere"), (None, "DeviceRefused")):
        door.answered(path, 403, 0.001, refusal)
    door.end()

    assert counted("epmm_door_answers_total", endpoint="connect", status="403") == before + 2
    assert counted("epmm_door_answers_total", endpoint="other", status="403") >= 2


def test_what_the_door_adds_up_is_what_the_library_would_have_counted() -> None:
    door, times = metrics.DoorFigures(), (0.0, 0.001, 0.0011, 0.3, 5.0, 7.0)
    ours, theirs = metrics.door_seconds.labels("checkin"), Histogram("own", "", buckets=metrics._DOOR_SECONDS)
    before = bucket_counts(ours)
    for seconds in times:
        door.answered("/mdm/checkin", 200, seconds, None)
        theirs.observe(seconds)
    door.end()
    door.end()

    added = {name: count - before[name] for name, count in bucket_counts(ours).items()}
    assert added == pytest.approx(bucket_counts(theirs))


def bucket_counts(histogram: Histogram) -> dict[str, float]:
    """By upper bound; the sum of all under its own name."""
    samples = [sample for sample in histogram._child_samples() if sample.name != "_created"]
    return {sample.labels.get("le", sample.name): sample.value for sample in samples}


def test_how_many_are_inside_is_told_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LOOK_SECONDS", 0.001)

    async def story() -> list[float]:
        door = metrics.DoorFigures()
        door.watch()
        door.inside, told = 3, [counted("epmm_door_waiting")]
        await asyncio.sleep(0.05)
        told.append(counted("epmm_door_waiting"))
        door.end()
        await asyncio.sleep(0.05)
        return [*told, counted("epmm_door_waiting")]

    assert asyncio.run(story()) == [0, 3, 0]
