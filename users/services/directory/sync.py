"""The copy of a directory's people is kept: who is new or has changed, who is gone, who is in which group.

Each phase is a row's state, so a run that was broken off goes on with the phase it was in; and what is stored already
is not written again.  Of all people of a directory nothing is held in memory but what tells one from another.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from epmm import audit, options
from epmm.models import AuditEntry, Job
from users.errors import DirectoryError, DirectoryRefused, InvalidPerson
from users.models import Directory, DirectoryEntry, DirectorySync
from users.services import account_conflicts, people
from users.services.directory import client, entries, filters, groups, marks, schema, store
from users.services.directory.client import Connection
from users.services.directory.entries import Reader
from users.services.directory.store import Report, actor_of

logger = logging.getLogger(__name__)
KIND: Final = "users.sync_directory"
Phase = DirectorySync.Phase
READ_ALL_EVERY: Final = timedelta(days=1)  # what a directory does not date, such as a renamed unit above
STALE: Final = timedelta(days=1)  # a run that was broken off longer ago begins anew
AFTER_A_FAILURE: Final = timedelta(minutes=5)
CHUNK: Final = 2000
LOOKED_UP: Final = 50  # people in one filter
MOST_LOOKED_UP: Final = 5000  # more of them are found faster by reading all
FEW: Final = 20  # so many may be gone at once without anybody asking
PART: Final = 3  # or one in so many
UNTOLD: Final = frozenset({"read", "groups", "people"})  # what is so without anything having changed


class TooManyGone(DirectoryRefused):
    """More likely a wrong filter than that so many have left."""

    def __init__(self, gone: int, known: int) -> None:
        super().__init__(
            _(
                "{gone} of {known} people are not in the directory any more. Nobody was switched off. "
                "Check base DN and filter; if it is right, start the sync with “Accept that many are gone”."
            ).format(gone=gone, known=known)
        )


def ask(directory: Directory, *, accepts_losses: bool = False) -> None:
    """For the worker, unless it is asked already."""
    if accepts_losses:
        DirectorySync.objects.update_or_create(directory=directory, defaults={"accepts_losses": True})
    Job.enqueue(KIND, dedupe_key=f"{KIND}.{directory.pk}", directory=directory.pk)


def ask_what_is_wrong(directory: Directory) -> None:
    """After a question that was not answered, such as a sign-in's: what a sync meets stands on the pages.

    Strangers can bring this about, so it is asked for no more often than after a failure.
    """
    lately = timezone.now() - AFTER_A_FAILURE
    if directory.sync_minutes and not DirectorySync.objects.filter(directory=directory, ended_at__gt=lately).exists():
        ask(directory)


def ask_for_due() -> None:
    """Each directory whose time has come."""
    now = timezone.now()
    for directory in client.enabled().filter(sync_minutes__gt=0).select_related("sync"):
        if _is_due(directory, now):
            ask(directory)


def _is_due(directory: Directory, now: datetime) -> bool:
    sync: DirectorySync | None = getattr(directory, "sync", None)
    if sync is None or sync.ended_at is None:
        return True
    usual = timedelta(minutes=directory.sync_minutes)
    return bool(now >= sync.ended_at + (min(usual, AFTER_A_FAILURE) if sync.error else usual))


def work(number: int) -> None:
    """What the worker does.  What keeps it from asking stands in the row, and is tried again when it is due."""
    directory = Directory.objects.filter(pk=number, is_enabled=True).first()
    if directory is None:
        return
    try:
        run(directory)
    except DirectoryError as error:
        logger.warning("a directory was not synced", extra={"directory": number, "reason": str(error)})


def run_here(directory: Directory, *, accepts_losses: bool = False) -> DirectorySync | None:
    """At once, in this process; None while a worker is at it.  Raises DirectoryError."""
    ask(directory, accepts_losses=accepts_losses)
    job = Job.objects.open().filter(dedupe_key=f"{KIND}.{directory.pk}").first()
    if job is None:  # a worker has done it meanwhile
        return DirectorySync.objects.filter(directory=directory).first()
    with Job.leased(job.pk) as held:
        if held is None:
            return None
        try:
            return run(directory)
        except DirectoryError as error:
            refusal = error  # the job is done with: another try is due by itself
    raise refusal


def run(directory: Directory) -> DirectorySync:
    """Until all is up to date.  Raises DirectoryError, which the row tells too; the next run goes on from there."""
    sync = _begun(directory)
    report = Report(counts=dict(sync.counts), problems=list(sync.problems), problem_count=sync.problem_count)
    try:
        with client.connected(directory) as connection:
            while sync.phase != Phase.DONE:
                _PHASES[sync.phase](connection, sync, report)
                _advance(sync, report)
    except DirectoryError as error:
        sync.error, sync.ended_at = str(error)[:500], timezone.now()
        sync.save(update_fields=["error", "ended_at"])
        raise
    return sync


def _begun(directory: Directory) -> DirectorySync:
    sync, _is_new = DirectorySync.objects.get_or_create(directory=directory)
    now, fingerprint = timezone.now(), _fingerprint(directory)
    goes_on = sync.phase != Phase.DONE and sync.fingerprint == fingerprint
    if goes_on and sync.began_at is not None and now - sync.began_at < STALE:
        return sync
    is_recent = sync.full_at is not None and now - sync.full_at < READ_ALL_EVERY
    sync.is_full = not (is_recent and sync.mark and sync.fingerprint == fingerprint)
    sync.phase, sync.began_at, sync.fingerprint = Phase.PEOPLE, now, fingerprint
    sync.next_mark, sync.counts, sync.problems, sync.problem_count = {}, {}, [], 0
    sync.save()
    return sync


def _fingerprint(directory: Directory) -> str:
    """Of all that decides what is read and what becomes of it."""
    names = (
        "user_base", "user_scope", "account_attribute", "account_source", "account_pattern", "searched_attributes",
    )  # fmt: skip
    known = [asdict(schema.of(directory)), *(getattr(directory, name) for name in names)]
    return blake2b(json.dumps([*known, *options.enrollment_domains()]).encode(), digest_size=16).hexdigest()


def _advance(sync: DirectorySync, report: Report) -> None:
    order = list(Phase)
    sync.phase = order[order.index(Phase(sync.phase)) + 1]
    sync.counts, sync.problems, sync.problem_count = report.counts, report.problems, report.problem_count
    if sync.phase == Phase.DONE:
        sync.counts["people"] = DirectoryEntry.objects.filter(directory=sync.directory, gone_at=None).count()
        sync.ended_at, sync.error, sync.mark, sync.accepts_losses = timezone.now(), "", sync.next_mark, False
        if sync.is_full:
            sync.full_at = sync.began_at
        _record(sync)
    sync.save()


def _record(sync: DirectorySync) -> None:
    """When something came of it."""
    changes = {what: number for what, number in sync.counts.items() if what not in UNTOLD}
    if changes:
        directory = sync.directory
        audit.record(
            "directory.synced",
            actor=actor_of(directory),
            subject_type="directory",
            subject=directory.name,
            status=AuditEntry.Status.SUCCESS,
            details=changes,
        )


def _read_people(connection: Connection, sync: DirectorySync, report: Report) -> None:
    """All, or those that have changed since the last time."""
    directory = connection.directory
    since = {} if sync.is_full else sync.mark
    marking = marks.of(connection, since)
    if not sync.is_full and not marking.is_usable:
        sync.is_full = True  # another server than then: its numbers mean nothing here
    asked = filters.all_of(entries.people_filter(directory), "" if sync.is_full else marking.filter)
    reading = Reader(directory)
    for page in connection.pages(directory.user_base, directory.user_scope, asked, [*reading.wanted, *marking.wanted]):
        marking.see(page)
        store.store(directory, [reading.person(entry) for entry in page], report)
        _tell(sync, report)
    sync.next_mark = marking.next


def _tell(sync: DirectorySync, report: Report) -> None:
    """How far it is, for whoever watches; a run that finds nothing new says nothing."""
    if report.counts.get("added", 0) + report.counts.get("changed", 0) > sum(
        sync.counts.get(what, 0) for what in ("added", "changed")
    ):
        sync.counts = dict(report.counts)
        DirectorySync.objects.filter(pk=sync.pk).update(counts=sync.counts)


def _find_gone(connection: Connection, sync: DirectorySync, report: Report) -> None:
    """Held against all that are there: who is gone, and who is called or stands elsewhere than we know."""
    directory = connection.directory
    there = _listed(connection)
    gone, moved = [], []
    for entry in _known(directory):
        key = there.pop(entry.external_id, None)
        if key is None:
            gone.append(entry.pk)
        elif key != entry.dn_key:
            moved.append(entry.external_id)
    unknown = [*there, *moved]
    del there
    _check_losses(directory, sync, len(gone))
    if not sync.is_full:  # else all have just been read
        _look_up(connection, unknown, report)
    for start in range(0, len(gone), CHUNK):
        for entry in DirectoryEntry.objects.select_related("user").filter(pk__in=gone[start : start + CHUNK]):
            _switch_off(entry, report, actor=actor_of(directory))


def _listed(connection: Connection) -> dict[str, str]:
    directory = connection.directory
    names = schema.of(directory)
    asked = entries.people_filter(directory)
    pages = connection.pages(directory.user_base, directory.user_scope, asked, [names.external_id])
    return {
        identifier: entries.dn_key(entry.dn)
        for page in pages
        for entry in page
        if (identifier := entry.external_id(names.external_id))
    }


def _known(directory: Directory) -> Iterator[DirectoryEntry]:
    there = DirectoryEntry.objects.filter(directory=directory, gone_at=None).only("external_id", "dn_key")
    last = 0
    while some := list(there.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield from some
        last = some[-1].pk


def _check_losses(directory: Directory, sync: DirectorySync, gone: int) -> None:
    if gone <= 1 or sync.accepts_losses:
        return
    known = DirectoryEntry.objects.filter(directory=directory, gone_at=None).count()
    if gone == known or (gone > FEW and gone * PART > known):
        raise TooManyGone(gone, known)


def _look_up(connection: Connection, identifiers: list[str], report: Report) -> None:
    """People who came into sight without having changed themselves."""
    directory, reading = connection.directory, Reader(connection.directory)
    if len(identifiers) > MOST_LOOKED_UP:
        asked = [entries.people_filter(directory)]
    else:
        parts = range(0, len(identifiers), LOOKED_UP)
        asked = [entries.by_ids(directory, identifiers[start : start + LOOKED_UP]) for start in parts]
    for each in asked:
        for page in connection.pages(directory.user_base, directory.user_scope, each, reading.wanted):
            store.store(directory, [reading.person(entry) for entry in page], report)


def _switch_off(entry: DirectoryEntry, report: Report, *, actor: str) -> None:
    """Whoever is gone enrolls nothing more.  What they have enrolled stays, and is shown on the dashboard."""
    user = entry.user
    with transaction.atomic():
        was_active = user.is_active
        if was_active:
            try:
                people.set_active(user, is_active=False, actor=actor)
            except InvalidPerson as error:
                report.problem(f"{user.user_id}: {error}")
                return
        entry.gone_at, entry.disabled_by_sync = timezone.now(), was_active
        entry.save(update_fields=["gone_at", "disabled_by_sync"])
    report.count("gone")


def _sync_groups(connection: Connection, _sync: DirectorySync, report: Report) -> None:
    groups.sync(connection, report)
    account_conflicts.settle(directory=connection.directory)


_PHASES: Final[dict[str, Callable[[Connection, DirectorySync, Report], None]]] = {
    Phase.PEOPLE: _read_people,
    Phase.GONE: _find_gone,
    Phase.GROUPS: _sync_groups,
}
