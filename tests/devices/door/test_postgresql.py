"""What only a server can do to a gateway: locks, snapshots, silence, failover."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from devices.door import postgresql
from devices.door.postgresql import PostgresStore
from devices.door.store import Exchange, Outcome
from devices.models import Command, Result
from epmm import pipeline
from epmm.batching import StoreUnavailable
from epmm.pipeline import Statement
from tests.devices.door.fakes import FakeDevice, Site, acknowledged, idle

pytestmark = [pytest.mark.service("postgresql"), pytest.mark.django_db(transaction=True)]


def somebody() -> psycopg.Connection[Any]:
    """Another one at the database; as a block, a transaction of theirs."""
    return psycopg.connect(pipeline.conninfo_of(connection.settings_dict, seconds=5))


@pytest.fixture
def elsewhere(transactional_db: None) -> Iterator[PostgresStore]:
    """The store of another gateway."""
    store = PostgresStore(connection.settings_dict)
    yield store
    store._disconnect()


@pytest.fixture
def gateways() -> Iterator[ThreadPoolExecutor]:
    """Where two of them wait at the same time."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


@contextmanager
def held(device: FakeDevice) -> Iterator[None]:
    """Somebody has locked its channel until the end of the block."""
    with somebody() as other:
        other.execute("SELECT FROM devices_channel WHERE id = %s FOR UPDATE", [device.channel.pk])
        yield


def until_waiting(count: int) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 5
    with somebody() as other:
        other.autocommit = True  # within a transaction its view of others stands still
        while other.execute(waiting).rowcount < count:
            assert time.monotonic() < deadline, "nobody waits"


def allow(monkeypatch: pytest.MonkeyPatch, **timeouts: str) -> None:
    """Another time than a batch takes for itself; one that it does not take cannot be another."""
    batch = postgresql._SET
    for name, timeout in timeouts.items():
        own = f"'{name}', '{postgresql.SETTINGS[name]}'".encode()
        assert own in batch
        batch = batch.replace(own, f"'{name}', '{timeout}'".encode())
    monkeypatch.setattr(postgresql, "_SET", batch)


@pytest.mark.parametrize("statement", sorted(set(postgresql.STATEMENTS.values())))
def test_postgresql_prepares_each_statement(statement: Statement) -> None:
    with somebody() as own:
        own.execute(f"PREPARE door ({', '.join(postgresql.PARAMETERS)}) AS ".encode() + statement.text)


def test_a_batch_is_one_round_trip_and_one_commit(site: Site, store: PostgresStore, tmp_path: Path) -> None:
    devices = [FakeDevice.enrolled(site) for _ in range(3)]
    command = devices[0].queue()
    store._commit([idle(devices[0])])
    assert store._connection is not None
    pgconn = store._connection.pgconn
    with (tmp_path / "trace").open("w+") as trace:
        pgconn.trace(trace.fileno())
        store._commit([acknowledged(devices[0], command), idle(devices[1]), idle(devices[2])])
        pgconn.untrace()
        trace.seek(0)
        sent = [line.split("\t")[3].strip() for line in trace.read().splitlines() if line.split("\t")[1] == "F"]

    assert sent == ["Parse", *["Bind", "Describe", "Execute"] * 4, "Sync"]
    assert Result.objects.count() == 1


def test_a_connection_that_others_use_next_keeps_nothing_of_ours(store: PostgresStore) -> None:
    store._commit([Exchange(sha256=b"", device_key="")])
    assert store._connection is not None
    pgconn = store._connection.pgconn
    pgconn.send_query_params(b"SELECT name FROM pg_settings WHERE source = 'session'", None)

    (result,) = pipeline.results(pgconn, 5)
    ours = {(result.get_value(row, 0) or b"").decode() for row in range(result.ntuples)} & postgresql.SETTINGS.keys()
    assert ours == set()


def test_a_statement_that_cannot_be_prepared_is_an_outage(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "IDLE", Statement.of("SELECT nothing FROM nowhere"))

    with pytest.raises(StoreUnavailable, match="nowhere"):
        store._commit([Exchange(sha256=b"", device_key="")])


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
    store = PostgresStore({**connection.settings_dict, "HOST": "127.0.0.1", "PORT": "1"})

    with pytest.raises(StoreUnavailable):
        store._commit([Exchange(sha256=b"", device_key="")])


def test_a_pooler_that_forgets_prepared_statements_costs_one_answer(device: FakeDevice, store: PostgresStore) -> None:
    store._commit([idle(device)])
    assert store._connection is not None
    pgconn = store._connection.pgconn
    pgconn.send_query_params(b"DEALLOCATE ALL", None)
    pipeline.results(pgconn, 5)

    with pytest.raises(StoreUnavailable):
        store._commit([idle(device)])
    assert store._commit([idle(device)]) == [Outcome(found=True)]


def test_a_server_that_became_read_only_is_left(device: FakeDevice, store: PostgresStore) -> None:
    """After a failover: it answers, and would answer so for ever."""
    store._commit([idle(device)])
    assert store._connection is not None
    pgconn = store._connection.pgconn
    pgconn.send_query_params(b"SET default_transaction_read_only = on", None)
    pipeline.results(pgconn, 5)

    answers = store._answers([idle(device), idle(device)])
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert "read-only transaction" in str(answers[0])
    assert store._answers([idle(device)]) == [Outcome(found=True)]


# --- Locks and time ---------------------------------------------------------------------------------------------------


def test_a_row_that_another_holds_does_not_hold_the_others_up_for_long(site: Site, store: PostgresStore) -> None:
    blocked, free = FakeDevice.enrolled(site), FakeDevice.enrolled(site)
    with held(blocked):
        answers = store._answers([idle(blocked), idle(free)])

    assert [type(answer) for answer in answers] == [StoreUnavailable, Outcome]
    assert str(answers[0]) == "canceling statement due to lock timeout"


def test_a_statement_that_takes_too_long_is_ended(
    device: FakeDevice, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, statement_timeout="50ms", lock_timeout="0")
    with held(device):
        (answer,) = store._answers([idle(device)])

    assert isinstance(answer, StoreUnavailable)
    assert str(answer) == "canceling statement due to statement timeout"


def test_a_server_that_falls_silent_is_left(
    device: FakeDevice, store: PostgresStore, monkeypatch: pytest.MonkeyPatch, gateways: ThreadPoolExecutor
) -> None:
    store._commit([idle(device)])
    allow(monkeypatch, statement_timeout="0", lock_timeout="0")
    monkeypatch.setattr(postgresql, "SECONDS", 0.1)
    with held(device), pytest.raises(StoreUnavailable, match="no answer in time"):
        gateways.submit(store._commit, [idle(device)]).result(5)

    assert store._connection is None
    monkeypatch.undo()
    assert store._commit([idle(device)]) == [Outcome(found=True)]


@pytest.mark.parametrize("kind", ["two devices", "two users of a Mac"])
def test_two_gateways_lock_in_one_order(
    device: FakeDevice,
    store: PostgresStore,
    elsewhere: PostgresStore,
    gateways: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    other = device.user("anna") if kind == "two users of a Mac" else FakeDevice.enrolled(device.site)
    allow(monkeypatch, lock_timeout="4s")  # PostgreSQL looks for a deadlock after one
    for asked in ([device, other], [other, device]):
        with held(asked[1]):
            backwards = gateways.submit(elsewhere._commit, [idle(each) for each in reversed(asked)])
            until_waiting(1)
            forwards = gateways.submit(store._commit, [idle(each) for each in asked])
            until_waiting(2)

        assert backwards.result(5) == forwards.result(5) == [Outcome(found=True)] * 2


# --- What changed while a connect waited for its channel --------------------------------------------------------------


def test_what_another_gateway_took_the_answer_to_is_not_offered_again(
    device: FakeDevice, store: PostgresStore, elsewhere: PostgresStore, gateways: ThreadPoolExecutor
) -> None:
    """A device that restarts or is erased twice has lost more than a round trip."""
    answered, following = device.queue("RestartDevice"), device.queue()
    assert store._commit([idle(device)])[0].command == answered.uuid
    with held(device):
        first = gateways.submit(elsewhere._commit, [acknowledged(device, answered)])
        until_waiting(1)
        second = gateways.submit(store._commit, [idle(device)])
        until_waiting(2)

    assert [outcome.command for outcome in first.result(5) + second.result(5)] == [following.uuid] * 2
    assert Result.objects.get().pk == answered.pk


def test_a_command_that_was_cancelled_meanwhile_stays_cancelled(
    device: FakeDevice, store: PostgresStore, gateways: ThreadPoolExecutor
) -> None:
    device.queue()
    with held(device), somebody() as other:
        waiting = gateways.submit(store._commit, [idle(device)])
        until_waiting(1)
        other.execute("DELETE FROM devices_command")

    assert waiting.result(5) == [Outcome(found=True)]
    assert not Command.objects.exists()
