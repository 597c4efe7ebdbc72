"""Questions about declarations that share a statement, and those that arrive late.  On the run's database."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from devices.door.store import stores_for
from devices.door.sync import LEFT, NOBODYS, Endpoint, Sync, Synced
from devices.models import DeclarationSet, Device, Identity, Manifest, StatusReport
from devices.protocol.declarations import DeclarationKind
from devices.services import declarative
from epmm.batching import BatchingStore
from tests.devices.declarations.rows import iphone, work
from tests.devices.declarations.test_sets import give, put
from tests.devices.door.test_syncs import REPORT


@pytest.fixture
def syncs(transactional_db: None, runner: asyncio.Runner) -> Iterator[BatchingStore[Sync, Synced]]:
    store = stores_for(connection.settings_dict).syncs
    assert isinstance(store, BatchingStore)
    runner.run(store.open())
    yield store
    runner.run(store.close())


def of(record: Device, endpoint: Endpoint, **more: Any) -> Sync:
    enrollment = record.enrollments.get()
    identity = enrollment.identities.get()
    Identity.objects.filter(pk=identity.pk).update(not_after=timezone.now() + timedelta(days=1))
    return Sync(sha256=bytes(identity.sha256), device_key=enrollment.device_key, endpoint=endpoint, **more)


def together(store: BatchingStore[Sync, Synced], runner: asyncio.Runner, asked: list[Sync]) -> list[Synced]:
    async def ask() -> list[Synced]:
        return await asyncio.gather(*map(store.connect, asked))

    return runner.run(ask())


def test_each_in_a_batch_gets_its_own_answer(syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner) -> None:
    records = [iphone(udid=f"{number:040}", serial_number=f"S{number}") for number in range(4)]
    put()
    give(records[2])
    sets = [DeclarationSet.objects.get(channel__enrollment__device=record) for record in records]
    nobody = Sync(sha256=bytes(32), device_key="nobody", endpoint=Endpoint.TOKENS)
    kind = DeclarationKind.MANAGEMENT.value

    first, items, none, declaration, news, reported = together(
        syncs,
        runner,
        [
            of(records[0], Endpoint.TOKENS),
            of(records[1], Endpoint.ITEMS),
            nobody,
            of(records[3], Endpoint.DECLARATION, kind=kind, identifier="epmm.organization"),
            of(records[2], Endpoint.TOKENS),
            of(records[0], Endpoint.STATUS, body=REPORT),  # the same channel twice
        ],
    )
    assert (first.token, news.token) == (sets[0].token, sets[2].token)
    assert news.token != first.token
    assert (items.token, json.loads(items.items)) == (sets[1].token, Manifest.objects.get(pk=sets[1].token).items)
    assert none == NOBODYS
    assert json.loads(declaration.declaration)["Identifier"] == "epmm.organization"
    assert reported.found
    assert StatusReport.objects.get().channel == sets[0].channel


@pytest.mark.service("postgresql")
def test_what_was_served_is_told_while_a_set_is_worked_on(
    record: Device, syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner
) -> None:
    declarative.manifest(record.enrollments.get().channels.get())
    question = of(record, Endpoint.DECLARATION, kind="configuration", identifier="passcode")
    with transaction.atomic():
        DeclarationSet.objects.select_for_update(of=("self",)).get(channel__enrollment__device=record)
        (told,) = together(syncs, runner, [question])

    assert json.loads(told.declaration)["Payload"] == {"MinimumLength": 6}


@pytest.mark.service("postgresql")
def test_a_set_that_is_worked_on_holds_up_nobody(
    record: Device, syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner
) -> None:
    """The handlers wait for it; whoever came at the same time does not."""
    other = iphone(udid="0" * 40, serial_number="S2")
    questions = [of(record, Endpoint.TOKENS), of(other, Endpoint.TOKENS)]
    with transaction.atomic():
        DeclarationSet.objects.select_for_update(of=("self",)).get(channel__enrollment__device=record)
        held, free = together(syncs, runner, questions)

    assert held == LEFT
    assert free.found


def test_nothing_was_reported_where_the_set_is_missing(
    record: Device, syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner
) -> None:
    question = of(record, Endpoint.STATUS, body=REPORT)
    (reported,) = together(syncs, runner, [question])
    assert reported.found
    DeclarationSet.objects.all().delete()

    assert together(syncs, runner, [question]) == [LEFT]
    assert StatusReport.objects.count() == 1


def test_a_request_that_was_held_up_moves_nothing(
    record: Device, syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner
) -> None:
    """Its device has asked again since, and fetches what it was told then."""
    late, asked_again = of(record, Endpoint.ITEMS), of(record, Endpoint.ITEMS)
    (told,) = together(syncs, runner, [asked_again])
    put(payload={"MinimumLength": 8})
    work()
    before = DeclarationSet.objects.get()
    assert before.token != told.token

    (again,) = together(syncs, runner, [late])
    assert (again.token, again.items) == (told.token, told.items)
    after = DeclarationSet.objects.get()
    assert (after.served_token, after.items_served_at) == (told.token, before.items_served_at)
    (new,) = together(syncs, runner, [of(record, Endpoint.ITEMS)])
    assert new.token == before.token


def test_a_copy_gets_the_same_whatever_changed_since(
    record: Device, syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner
) -> None:
    """It came a little later, and which of the two answers its device will take nobody knows."""
    first, copy = of(record, Endpoint.ITEMS), of(record, Endpoint.ITEMS)
    (told,) = together(syncs, runner, [first])
    put(payload={"MinimumLength": 8})
    work()

    (again,) = together(syncs, runner, [copy])
    assert (again.token, again.items) == (told.token, told.items)
    enrollment = record.enrollments.get()
    held = json.loads(declarative.manifest(enrollment.channels.get(), came_at=copy.came_at))
    assert held["DeclarationsToken"] == told.token


def test_an_hour_that_was_not_holds_nothing_up(
    record: Device, syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner
) -> None:
    """A clock that was ahead when the last manifest was asked for, and has been put back."""
    together(syncs, runner, [of(record, Endpoint.ITEMS)])
    DeclarationSet.objects.update(items_served_at=timezone.now() + timedelta(hours=1))
    put(payload={"MinimumLength": 8})
    work()

    (new,) = together(syncs, runner, [of(record, Endpoint.ITEMS)])
    assert new.token == DeclarationSet.objects.get().token


def test_a_request_by_a_clock_that_was_behind_is_no_copy(
    record: Device, syncs: BatchingStore[Sync, Synced], runner: asyncio.Runner
) -> None:
    """None is held up for an hour; its device would hold the older set for long."""
    together(syncs, runner, [of(record, Endpoint.ITEMS)])
    put(payload={"MinimumLength": 8})
    work()

    behind = replace(of(record, Endpoint.ITEMS), came_at=timezone.now() - timedelta(hours=1))
    enrollment = record.enrollments.get()
    held = json.loads(declarative.manifest(enrollment.channels.get(), came_at=behind.came_at))
    assert held["DeclarationsToken"] == DeclarationSet.objects.get().token

    put(payload={"MinimumLength": 9})
    work()
    (new,) = together(syncs, runner, [behind])
    assert new.token == DeclarationSet.objects.get().token
