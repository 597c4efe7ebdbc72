"""What is finished is kept by month and forgotten by policy."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from devices import tasks
from devices.models import Broadcast, Command, FinishedCommand, Payload, Result
from devices.services import archive, results
from epmm import pipeline
from epmm.models import Job
from tests.devices.services.rows import answered, channel_of, command, enrolled

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def finished(at: datetime, *, body: bytes = b"") -> FinishedCommand:
    row = command(channel_of(enrolled(udid=f"device of {at}")), "ProfileList", note=at)
    kept = FinishedCommand.of(row, Command.State.ACKNOWLEDGED, at, body)
    kept.save(force_insert=True)
    Command.objects.filter(pk=row.pk).delete()
    return kept


def partitions() -> dict[str, int]:
    """The archive's tables, and how many rows are in each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [archive._TABLE]
        )
        names = [name for (name,) in cursor.fetchall()]
        counts = {}
        for name in names:
            cursor.execute(f"SELECT count(*) FROM {name}")
            counts[name.removeprefix(f"{archive._TABLE}_")] = cursor.fetchone()[0]
    return counts


def test_an_answer_is_kept_small_and_comes_back_whole() -> None:
    answered(command(channel_of(enrolled()), "DeviceLock"), Filler="x" * 10_000)
    body = bytes(Result.objects.get().body)
    results.read_results()

    assert FinishedCommand.objects.get().body == body
    with connection.cursor() as cursor:
        cursor.execute("SELECT length(body) FROM devices_finishedcommand")
        assert cursor.fetchone()[0] < len(body) / 20


@pytest.mark.service("postgresql")
def test_until_it_is_read_an_answer_is_compressed_by_what_takes_least_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'")
        offered = cursor.fetchone()[0]
        cursor.execute(
            "SELECT attcompression FROM pg_attribute WHERE attrelid = 'devices_result'::regclass AND attname = 'body'"
        )
        assert cursor.fetchone()[0] == "l" or "lz4" not in offered  # a server may have been built without it


def test_what_is_older_than_the_policy_goes_and_nothing_else() -> None:
    now = timezone.now()
    _old, young = finished(now - 91 * DAY), finished(now - 89 * DAY)
    waiting = command(channel_of(enrolled()), "ProfileList")

    tasks.keep_archive_in_shape()

    assert FinishedCommand.objects.get().pk == young.pk
    assert Command.objects.get().pk == waiting.pk


def test_old_ones_go_in_small_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "AT_ONCE", 2)
    for number in range(5):
        finished(timezone.now() - (100 + number) * DAY)

    archive.expire(timezone.now() - 90 * DAY)

    assert not FinishedCommand.objects.exists()


def test_a_payload_that_nothing_refers_to_any_more_is_forgotten() -> None:
    channel = channel_of(enrolled())
    answered(command(channel, "SecurityInfo"))
    command(channel, "ProfileList")
    finished(timezone.now())
    fresh = Payload.objects.of([b"used today"])[0]
    Payload.objects.exclude(pk=fresh.pk).update(used_at=timezone.now() - 200 * DAY)
    unused = Payload.objects.create(digest="unused", rendered=b"", used_at=timezone.now() - 93 * DAY)

    archive.keep_in_shape()

    left = set(Payload.objects.values_list("pk", flat=True))
    assert unused.pk not in left
    assert {Command.objects.get().payload_id, Result.objects.get().payload_id, fresh.pk} == left


def test_a_payload_that_is_used_again_after_long_stays() -> None:
    (row,) = Payload.objects.of([b"says something"])
    Payload.objects.update(used_at=timezone.now() - 200 * DAY)

    (again,) = Payload.objects.of([b"says something"])
    archive.forget_unused_payloads(timezone.now() - 92 * DAY)

    assert again.pk == row.pk
    assert Payload.objects.get().rendered == b"says something"


def test_a_broadcast_is_remembered_as_long_as_its_commands() -> None:
    old = timezone.now() - 100 * DAY
    done, still_open = (Broadcast.objects.create(request_type="x", actor="x", created_at=old) for _ in range(2))
    row = command(channel_of(enrolled()), "ProfileList")
    Command.objects.filter(pk=row.pk).update(broadcast=still_open)

    archive.keep_in_shape()

    assert not Broadcast.objects.filter(pk=done.pk).exists()
    assert Broadcast.objects.filter(pk=still_open.pk).exists()


@pytest.fixture
def no_month() -> None:
    """Tests that commit leave months behind, which no emptying of tables takes away."""
    archive.expire(datetime(9999, 1, 1, tzinfo=UTC))


@pytest.mark.service("postgresql")
@pytest.mark.usefixtures("no_month")
def test_a_month_is_a_table_of_its_own_and_goes_as_one() -> None:
    august = datetime(2026, 8, 15, tzinfo=UTC)
    archive.make_room(august)
    archive.make_room(august)
    finished(august)
    finished(august + 31 * DAY)
    finished(datetime(2026, 1, 1, tzinfo=UTC))

    assert partitions() == {"default": 1, "202608": 1, "202609": 1, "202610": 0}
    archive.expire(datetime(2026, 9, 1, tzinfo=UTC))
    assert partitions() == {"default": 0, "202609": 1, "202610": 0}


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_month")
@pytest.mark.parametrize("are_made", [False, True])
def test_while_somebody_reads_the_archive_its_months_wait_and_nobody_behind_them(
    monkeypatch: pytest.MonkeyPatch, *, are_made: bool
) -> None:
    monkeypatch.setattr(archive, "LOCK_SECONDS", 0.05)
    archive.make_room(timezone.now() - 200 * DAY)
    if are_made:
        archive.make_room(timezone.now())
    old = finished(timezone.now() - 200 * DAY)
    with psycopg.connect(pipeline.conninfo_of(connection.settings_dict, seconds=5)) as reader:
        reader.execute(f"SELECT FROM {archive._TABLE}")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '20s'")  # nothing else would end the wait
        tasks.keep_archive_in_shape()

        answered(command(channel_of(enrolled()), "DeviceLock"))
        assert results.read_results() == 1
        assert FinishedCommand.objects.filter(pk=old.pk).exists()  # nor is it deleted row by row instead
    (again,) = Job.objects.filter(kind=archive.KIND)
    assert timedelta(0) < again.run_at - timezone.now() <= archive.AGAIN

    tasks.keep_archive_in_shape()
    assert not FinishedCommand.objects.filter(pk=old.pk).exists()
    assert f"{archive._next(timezone.now().date()):%Y%m}" in partitions()


@pytest.mark.service("postgresql")
@pytest.mark.usefixtures("no_month")
def test_what_came_before_its_month_was_made_stays_where_it_is() -> None:
    august = datetime(2026, 8, 15, tzinfo=UTC)
    finished(august)

    archive.make_room(august)

    assert partitions() == {"default": 1, "202609": 0, "202610": 0}


@pytest.mark.service("postgresql")
@pytest.mark.usefixtures("no_month")
def test_a_month_whose_first_answer_comes_while_its_table_is_made_stays_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "_default_holds", lambda *_: False)  # as it was a moment ago
    august = datetime(2026, 8, 15, tzinfo=UTC)
    finished(august)

    archive.make_room(august)

    assert partitions() == {"default": 1, "202609": 0, "202610": 0}
