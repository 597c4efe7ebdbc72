"""What only a server can do to a gateway: locks, snapshots, silence, failover."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import pq

from devices.door import postgresql, postgresql_syncs
from devices.door.postgresql import PostgresConnects
from devices.door.store import Exchange, Outcome
from devices.models import Command, Result
from enrollment.checkin import CheckinHandlers
from epmm import orm_threads, pipeline
from epmm.batching import StoreUnavailable
from epmm.pipeline import Statement
from tests.devices.door.fakes import Batches, FakeDevice, Site, acknowledged, idle
from tests.epmm.processes import eventually

pytestmark = [pytest.mark.service("postgresql"), pytest.mark.django_db(transaction=True)]
LONG = 60  # seconds: who looks on sees who waits for a lock, on a machine that may stand still


def somebody() -> psycopg.Connection[Any]:
    """Another one at the database; as a block, a transaction of theirs."""
    return psycopg.connect(pipeline.conninfo_of(connection.settings_dict, seconds=5))


@pytest.fixture
def elsewhere(transactional_db: None) -> Iterator[Batches]:
    """The store of another gateway."""
    with Batches(PostgresConnects(connection.settings_dict)) as batches:
        yield batches


@pytest.fixture
def gateways() -> Iterator[ThreadPoolExecutor]:
    """Where two of them wait at the same time."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


def pgconn_of(store: Batches) -> pq.abc.PGconn:
    assert isinstance(store.store, PostgresConnects)
    assert store.store._line.connection is not None
    return store.store._line.connection.pgconn


@contextmanager
def held(device: FakeDevice) -> Iterator[None]:
    """Somebody has locked its channel until the end of the block."""
    with somebody() as other:
        other.execute("SELECT FROM devices_channel WHERE id = %s FOR UPDATE", [device.channel.pk])
        yield


def until_waiting(count: int) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with somebody() as other:
        other.autocommit = True  # within a transaction its view of others stands still
        eventually(lambda: other.execute(waiting).rowcount >= count)


def allow(monkeypatch: pytest.MonkeyPatch, store: Batches, **timeouts: str) -> None:
    """Another time than a batch takes for itself; one that it does not take cannot be another."""
    for each in ("SET", "SET_TO_PLAN"):
        batch = getattr(postgresql, each).text
        for name, timeout in timeouts.items():
            own = f"'{name}', '{postgresql.SETTINGS[name]}'".encode()
            assert own in batch
            batch = batch.replace(own, f"'{name}', '{timeout}'".encode())
        monkeypatch.setattr(postgresql, each, Statement.of(batch.decode()))
    store.store._line.close()  # type: ignore[attr-defined] # a PostgresConnects, which prepares it when it connects


def wait_long(monkeypatch: pytest.MonkeyPatch, *stores: Batches) -> None:
    allow(monkeypatch, stores[0], lock_timeout=f"{LONG}s", statement_timeout=f"{LONG}s")
    for each in stores:
        assert isinstance(each.store, PostgresConnects)
        each.store._seconds = each.store._line._seconds = LONG


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        (postgresql.IDLE, postgresql.WHO),
        (postgresql.ANY, postgresql.WHO | postgresql.REPORT),
        (postgresql_syncs.SYNC, postgresql.WHO | postgresql_syncs.ASKED),
    ],
)
def test_postgresql_prepares_each_statement(statement: Statement, columns: Mapping[str, str]) -> None:
    arrays = ", ".join(f"{kind}[]" for kind in columns.values())
    with somebody() as own:
        own.execute(f"PREPARE door ({arrays}) AS ".encode() + statement.text)


def test_a_batch_is_one_round_trip_and_one_commit(
    site: Site, store: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "PLAN_SECONDS", float("inf"))  # plans are thrown away by one more statement
    devices = [FakeDevice.enrolled(site) for _ in range(3)]
    command = devices[0].queue()
    store.commit([idle(devices[0])])
    pgconn = pgconn_of(store)
    with (tmp_path / "trace").open("w+") as trace:
        pgconn.trace(trace.fileno())
        store.commit([acknowledged(devices[0], command), idle(devices[1]), idle(devices[2])])
        pgconn.untrace()
        trace.seek(0)
        sent = [line.split("\t")[3].strip() for line in trace.read().splitlines() if line.split("\t")[1] == "F"]

    assert sent == [*["Bind", "Describe", "Execute"] * 2, "Sync"]
    assert Result.objects.count() == 1


def test_a_connection_that_others_use_next_keeps_nothing_of_ours(store: Batches) -> None:
    store.commit([Exchange(sha256=b"", device_key="")])
    pgconn = pgconn_of(store)
    pgconn.send_query_params(b"SELECT name FROM pg_settings WHERE source = 'session'", None)

    (result,) = pipeline.results(pgconn, 5)
    ours = {(result.get_value(row, 0) or b"").decode() for row in range(result.ntuples)} & postgresql.SETTINGS.keys()
    assert ours == set()


def test_a_statement_that_cannot_be_prepared_is_an_outage(store: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "IDLE", Statement.of("SELECT nothing FROM nowhere"))

    with pytest.raises(StoreUnavailable, match="nowhere"):
        store.commit([Exchange(sha256=b"", device_key="")])


def test_a_lost_connection_is_an_outage_that_passes(device: FakeDevice) -> None:
    assert device.idle().status == 200
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert device.idle().status == 503
    assert device.idle().status == 200


def test_a_server_that_is_not_there_is_an_outage() -> None:
    nowhere = PostgresConnects({**connection.settings_dict, "HOST": "127.0.0.1", "PORT": "1"})

    with Batches(nowhere) as store, pytest.raises(StoreUnavailable):
        store.commit([Exchange(sha256=b"", device_key="")])


def test_a_pooler_that_forgets_prepared_statements_costs_one_answer(device: FakeDevice, store: Batches) -> None:
    store.commit([idle(device)])
    pgconn = pgconn_of(store)
    pgconn.send_query_params(b"DEALLOCATE ALL", None)
    pipeline.results(pgconn, 5)

    with pytest.raises(StoreUnavailable):
        store.commit([idle(device)])
    assert store.commit([idle(device)]) == [Outcome(found=True)]


def test_a_server_that_became_read_only_is_left(device: FakeDevice, store: Batches) -> None:
    """After a failover: it answers, and would answer so for ever."""
    store.commit([idle(device)])
    pgconn = pgconn_of(store)
    pgconn.send_query_params(b"SET default_transaction_read_only = on", None)
    pipeline.results(pgconn, 5)

    answers = store.answers([idle(device), idle(device)])
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert "read-only transaction" in str(answers[0])
    assert store.answers([idle(device)]) == [Outcome(found=True)]


# --- Locks and time ---------------------------------------------------------------------------------------------------


def test_a_row_that_another_holds_does_not_hold_the_others_up_for_long(site: Site, store: Batches) -> None:
    blocked, free = FakeDevice.enrolled(site), FakeDevice.enrolled(site)
    with held(blocked):
        answers = store.answers([idle(blocked), idle(free)])

    assert [type(answer) for answer in answers] == [StoreUnavailable, Outcome]
    assert str(answers[0]) == "canceling statement due to lock timeout"


def test_a_statement_that_takes_too_long_is_ended(
    device: FakeDevice, store: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, store, statement_timeout="50ms", lock_timeout="0")
    with held(device):
        (answer,) = store.answers([idle(device)])

    assert isinstance(answer, StoreUnavailable)
    assert str(answer) == "canceling statement due to statement timeout"


def test_a_server_that_falls_silent_is_left(
    device: FakeDevice, store: Batches, monkeypatch: pytest.MonkeyPatch, gateways: ThreadPoolExecutor
) -> None:
    allow(monkeypatch, store, statement_timeout="0", lock_timeout="0")
    store.commit([idle(device)])  # connected: that may take longer
    monkeypatch.setattr(store.store._line, "_seconds", 0.1)  # type: ignore[attr-defined] # a PostgresConnects
    with held(device), pytest.raises(StoreUnavailable, match="no answer in time"):
        gateways.submit(store.commit, [idle(device)]).result(60)

    assert store.store._line.connection is None  # type: ignore[attr-defined] # a PostgresConnects
    monkeypatch.undo()
    assert store.commit([idle(device)]) == [Outcome(found=True)]


@pytest.mark.parametrize("kind", ["two devices", "two users of a Mac"])
def test_two_gateways_lock_in_one_order(
    device: FakeDevice,
    store: Batches,
    elsewhere: Batches,
    gateways: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    other = device.user("anna") if kind == "two users of a Mac" else FakeDevice.enrolled(device.site)
    wait_long(monkeypatch, store, elsewhere)  # PostgreSQL looks for a deadlock after a second
    for asked in ([device, other], [other, device]):
        with held(asked[1]):
            backwards = gateways.submit(elsewhere.commit, [idle(each) for each in reversed(asked)])
            until_waiting(1)
            forwards = gateways.submit(store.commit, [idle(each) for each in asked])
            until_waiting(2)

        assert backwards.result(60) == forwards.result(60) == [Outcome(found=True)] * 2


def test_a_check_in_that_waits_for_a_lock_is_told_to_come_again(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(orm_threads, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(device.site.handlers, "check_in", CheckinHandlers().check_in)
    with somebody() as other:
        other.execute("SELECT FROM devices_enrollment FOR UPDATE")
        reply = device.send({"MessageType": "CheckOut", "Topic": device.enrollment.topic}, path="/mdm/checkin")

    assert (reply.status, reply.headers["retry-after"]) == (503, "15")
    assert "OperationalError: canceling statement due to lock timeout" in caplog.text


# --- What changed while a connect waited for its channel --------------------------------------------------------------


def test_what_another_gateway_took_the_answer_to_is_not_offered_again(
    device: FakeDevice,
    store: Batches,
    elsewhere: Batches,
    gateways: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A device that restarts or is erased twice has lost more than a round trip."""
    wait_long(monkeypatch, store, elsewhere)
    answered, following = device.queue("RestartDevice"), device.queue()
    assert store.commit([idle(device)])[0].command == answered.uuid
    with held(device):
        first = gateways.submit(elsewhere.commit, [acknowledged(device, answered)])
        until_waiting(1)
        second = gateways.submit(store.commit, [idle(device)])
        until_waiting(2)

    assert [outcome.command for outcome in first.result(60) + second.result(60)] == [following.uuid] * 2
    assert Result.objects.get().pk == answered.pk


def test_a_command_that_was_cancelled_meanwhile_stays_cancelled(
    device: FakeDevice, store: Batches, gateways: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_long(monkeypatch, store)
    device.queue()
    with held(device), somebody() as other:
        waiting = gateways.submit(store.commit, [idle(device)])
        until_waiting(1)
        other.execute("DELETE FROM devices_command")

    assert waiting.result(60) == [Outcome(found=True)]
    assert not Command.objects.exists()
