"""What the stores owe each other beyond the command loop: batches, outages, one statement.  On the run's database."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.db import connection

from devices.door import postgresql, postgresql_syncs, sqlite, sqlite_syncs
from devices.door.postgresql import PostgresConnects
from devices.door.sqlite import SqliteConnects
from devices.door.store import Exchange, Outcome, stores_for
from devices.models import Command, Result
from epmm.batching import StoreUnavailable
from epmm.pipeline import Statement
from tests.devices.door.fakes import Batches, FakeDevice, Site, acknowledged, idle

on_sqlite = pytest.mark.service("sqlite")
on_postgresql = pytest.mark.service("postgresql")


def test_each_in_a_batch_gets_its_own_answer(site: Site, store: Batches) -> None:
    devices = [FakeDevice.enrolled(site) for _ in range(5)]
    commands = [device.queue() for device in devices]
    nobody = Exchange(sha256=bytes(32), device_key="nobody")
    exchanges = [nobody, *(idle(device) for device in devices), nobody]

    outcomes = store.commit(exchanges)
    assert [outcome.command for outcome in outcomes] == [None, *(command.uuid for command in commands), None]
    assert [outcome.found for outcome in outcomes] == [False, *[True] * 5, False]


def test_a_channel_that_is_asked_for_twice_in_a_batch_is_answered_twice(device: FakeDevice, store: Batches) -> None:
    first, second = device.queue(), device.queue()

    outcomes = store.commit([acknowledged(device, first), idle(device), acknowledged(device, second)])
    assert [outcome.command for outcome in outcomes] == [second.uuid, second.uuid, None]
    assert set(Result.objects.values_list("pk", flat=True)) == {first.pk, second.pk}


def test_a_command_whose_words_are_gone_holds_up_no_other(device: FakeDevice, store: Batches) -> None:
    """No constraint keeps them: it would be a look-up for each command that is moved."""
    without, following = device.queue("ProfileList"), device.queue()
    without.payload.delete()

    assert [outcome.command for outcome in store.commit([idle(device)])] == [following.uuid]
    assert store.commit([acknowledged(device, following)]) == [Outcome(found=True)]


def test_what_fails_fails_alone(device: FakeDevice, store: Batches) -> None:
    command = device.queue()
    # no text that a database could take, once before the others and once behind them
    first, last = (Exchange(sha256=fill * 32, device_key="\ud800") for fill in (b"\x00", b"\xff"))
    good = acknowledged(device, command)

    answers = store.answers([last, good, first])
    assert [type(answer) for answer in answers] == [UnicodeEncodeError, Outcome, UnicodeEncodeError]
    assert Result.objects.get().pk == command.pk
    assert store.answers([idle(device)]) == [Outcome(found=True)]


def test_what_was_begun_is_finished_at_the_end(device: FakeDevice, store: Batches) -> None:
    commands = [device.queue() for _ in range(3)]

    async def closing() -> list[Outcome]:
        asked = [asyncio.create_task(store.store.connect(acknowledged(device, command))) for command in commands]
        await asyncio.sleep(0)
        await store.store.close()
        return await asyncio.gather(*asked)

    assert [outcome.found for outcome in store.runner.run(closing())] == [True] * 3
    assert Result.objects.count() == 3


def test_what_others_have_to_do_is_not_looked_at(device: FakeDevice, store: Batches) -> None:
    others = FakeDevice.enrolled(device.site).queue()
    Command.objects.bulk_create(
        Command(channel=others.channel, payload=others.payload, request_type="ProfileList") for _ in range(2000)
    )
    command = device.queue()

    (outcome,) = store.commit([idle(device)])
    assert outcome.command == command.uuid
    assert "command_next" in plan_of_next(device)


def plan_of_next(device: FakeDevice) -> str:
    if connection.vendor == "sqlite":
        values = {"channel": device.channel.pk, "command": None, "idle_at": None, "now": None}
        with contextlib.closing(sqlite3.connect(str(connection.settings_dict["NAME"]))) as own:
            return str(own.execute(f"EXPLAIN QUERY PLAN {sqlite.NEXT}", values).fetchall())
    return plan_on_postgresql(postgresql.IDLE, postgresql.WHO)


def plan_on_postgresql(statement: Statement, columns: Mapping[str, str]) -> str:
    with connection.cursor() as cursor:
        for setting in postgresql.SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, false)", setting)
        arrays = ", ".join(f"{kind}[]" for kind in columns.values())
        cursor.execute(f"PREPARE door ({arrays}) AS {statement.text.decode()}")
        cursor.execute(f"EXPLAIN EXECUTE door ({', '.join(['NULL'] * len(columns))})")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    connection.close()
    assert "Seq Scan" not in plan
    return plan


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_declarations_are_looked_up_by_indexes() -> None:
    plan = plan_on_postgresql(postgresql_syncs.SYNC, postgresql.WHO | postgresql_syncs.ASKED)

    for table in ("declarationset", "manifest", "declarationcontent"):
        assert re.search(rf"Index Scan using \w+ on devices_{table} ", plan)


# --- SQLite -----------------------------------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", [*sqlite.STATEMENTS, *sqlite_syncs.STATEMENTS])
def test_sqlite_prepares_each_statement(statement: str) -> None:
    with contextlib.closing(sqlite3.connect(str(connection.settings_dict["NAME"]))) as own:
        names = {"now", "idle", "sha256", "device_key", "bearer_sha256", "user_key", "state", "command", "channel"}
        names |= {"id", "body", "idle_at", "token", "offers_stand", "came_at", "by_then"}
        own.execute(f"EXPLAIN {statement}", dict.fromkeys(names))


def connection_of(store: Batches) -> sqlite3.Connection:
    assert isinstance(store.store, SqliteConnects)
    assert store.store._connection is not None
    return store.store._connection


@on_sqlite
def test_a_batch_is_one_transaction_on_sqlite(site: Site, store: Batches) -> None:
    devices = [FakeDevice.enrolled(site) for _ in range(3)]
    command = devices[0].queue()
    store.commit([idle(devices[0])])
    statements: list[str] = []
    connection_of(store).set_trace_callback(statements.append)

    store.commit([acknowledged(devices[0], command), idle(devices[1]), idle(devices[2])])
    assert [statement for statement in statements if statement.split()[0] in ("BEGIN", "COMMIT")] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    assert len(statements) == 2 + 4 + 2 + 2


@on_sqlite
def test_sqlite_survives_power_loss(store: Batches) -> None:
    store.commit([Exchange(sha256=b"", device_key="")])

    pragmas = {
        name: connection_of(store).execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


@on_sqlite
def test_a_locked_sqlite_is_an_outage_that_passes(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with contextlib.closing(sqlite3.connect(str(connection.settings_dict["NAME"]))) as other:
        other.execute("BEGIN IMMEDIATE")
        assert device.idle().status == 503
    assert device.idle().status == 200


@on_sqlite
def test_an_sqlite_file_that_is_gone_does_not_come_back_empty(tmp_path: Path) -> None:
    with Batches(SqliteConnects(str(tmp_path / "gone.sqlite3"))) as store, pytest.raises(StoreUnavailable):
        store.commit([Exchange(sha256=b"", device_key="")])
    assert not list(tmp_path.iterdir())


def test_the_store_follows_the_engine() -> None:
    assert isinstance(stores_for({"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}).connects, SqliteConnects)
    assert isinstance(stores_for({"ENGINE": "django.db.backends.postgresql", "NAME": "x"}).connects, PostgresConnects)
