"""The comparison: what devices and administrators were told against what the database holds."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from bench.faults.holder import NUMBER, Holds
from bench.faults.players import Told
from bench.faults.work import Newcomer, Ordered

SHOWN: Final = 10  # of many that are missing
CALLED_BACK: Final = "called back"


@dataclass(frozen=True, slots=True)
class Kept:
    who: str
    status: str
    sha256: bytes


@dataclass(slots=True)
class Ledger:
    """Of all rounds: what was kept must stay."""

    told: dict[UUID, Told] = field(default_factory=dict)
    holds: dict[str, Holds] = field(default_factory=dict)
    handed: list[tuple[UUID, float]] = field(default_factory=list)
    commands: set[UUID] = field(default_factory=set)
    called_back: dict[UUID, float] = field(default_factory=dict)
    broadcasts: set[int] = field(default_factory=set)
    mistakes: list[str] = field(default_factory=list)

    def enter(self, told: Sequence[Told]) -> None:
        for each in told:
            before = self.told.setdefault(each.uuid, each)
            if (before.status, before.sha256) != (each.status, each.sha256):
                self.mistakes.append(f"{each.uuid}: the device was asked again after its answer was kept")

    def add(self, ordered: Ordered) -> None:
        self.commands |= ordered.commands
        self.called_back |= ordered.called_back
        self.broadcasts |= ordered.broadcasts

    def compare(self) -> list[str]:
        """What is wrong in the books when nothing is left to do."""
        books = _books()
        said = {uuid: Kept(each.who, each.status, each.sha256) for uuid, each in self.told.items()}
        unsaid = {uuid: rows[0].status for uuid, rows in books.items() if uuid not in said}
        wrong: dict[str, Sequence[Any]] = {
            "told 200, and not in the books": [uuid for uuid in said if uuid not in books],
            "in the books more than once": [uuid for uuid, rows in books.items() if len(rows) > 1],
            "in the books with another answer": [uuid for uuid, one in said.items() if books.get(uuid, [one]) != [one]],
            "answered in the books, by no device": [uuid for uuid, what in unsaid.items() if what != CALLED_BACK],
            "called back in the books, by nobody": [
                uuid for uuid, what in unsaid.items() if what == CALLED_BACK and uuid not in self.called_back
            ],
            "handed out after it was called back": [
                uuid for uuid, at in self.handed if at > self.called_back.get(uuid, at)
            ],
            "queued, and not in the books": [uuid for uuid in self.commands if uuid not in books],
        }
        wrong |= _of_declarations(self.holds)
        return [_named(what, whom) for what, whom in wrong.items() if whom] + list(_of_broadcasts(self.broadcasts))

    def check_records(self, told: Sequence[Told], version: str) -> None:
        """Inventory was read: whoever told that version is known by it.

        An answer on its way when devices got that version tells of the one before.
        """
        if behind := sorted(_behind(told, version)):
            self.mistakes.append(_named(f"told {version}, and the record says otherwise", behind))

    def check_audit(self) -> None:
        """No link is lost, and none is red, whatever clocks and processes did."""
        from epmm import audit_chain

        self.mistakes += [f"audit: {problem}" for problem in audit_chain.verify().problems]

    def check_newcomer(self, newcomer: Newcomer) -> None:
        from devices.models import Enrollment

        serial = newcomer.device.hardware.serial
        if newcomer.error is not None:
            self.mistakes.append(f"{serial} was not enrolled: {type(newcomer.error).__name__}: {newcomer.error}")
        states = list(Enrollment.objects.filter(device__serial_number=serial).values_list("state", flat=True))
        if newcomer.error is None and (not states or set(states) != {Enrollment.State.ENDED}):
            self.mistakes.append(f"{serial} enrolled and left, and its enrollments say {states}")


def _named(what: str, whom: Sequence[Any]) -> str:
    more = f" and {len(whom) - SHOWN} more" if len(whom) > SHOWN else ""
    return f"{what}: {', '.join(map(str, whom[:SHOWN]))}{more}"


def is_all_done(ordered: Ordered) -> bool:
    """Nothing queued, nothing unread, every broadcast looked at everybody."""
    from devices.models import Broadcast, Command, DeclarationRun, Result, StatusReport

    waiting = Broadcast.objects.filter(pk__in=ordered.broadcasts, queued_at=None)
    # in the order in which an answer passes the tables
    answers = (Command.objects.open(), Result.objects.all(), StatusReport.objects.unread())
    left = (*answers, waiting, DeclarationRun.objects.filter(done_at=None), _behind_declarations())
    return not any(rows.exists() for rows in left)


def what_is_left(ordered: Ordered) -> str:
    from devices.models import Broadcast, Command, Result, StatusReport

    waiting = Broadcast.objects.filter(pk__in=ordered.broadcasts, queued_at=None).count()
    unread = Result.objects.count() + StatusReport.objects.unread().count()
    states = Counter(Command.State(state).label for state in Command.objects.open().values_list("state", flat=True))
    open_ = ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    behind = _behind_declarations()
    rows = [*Command.objects.open().order_by("pk")[:SHOWN], *behind.order_by("pk")[:SHOWN]]
    left = (
        f"commands open: {open_}; answers unread: {unread}; broadcasts unfinished: {waiting}; "
        f"sets of declarations behind: {behind.count()}"
    )
    some = (f"{row}: {_moments(row)}; its channel: {_moments(row.channel)}" for row in rows)
    return "\n  ".join([left, *some])


def _moments(row: Any) -> str:
    """In seconds from now."""
    from django.utils import timezone

    now = timezone.now()
    moments = {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}
    ats = {name: at for name, at in moments.items() if isinstance(at, datetime)}
    return ", ".join(f"{name} {(at - now).total_seconds():+.1f}" for name, at in ats.items())


def _behind_declarations() -> Any:
    """Of the channels that are played."""
    from devices.models import DeclarationSet

    return DeclarationSet.objects.behind().filter(channel__enrollment__user__user_id="bench")


def _books() -> Mapping[UUID, list[Kept]]:
    """Of the channels that are played; what newcomers answered is their affair."""
    from devices.models import Command, FinishedCommand, Result

    books: defaultdict[UUID, list[Kept]] = defaultdict(list)
    # what had gone out when it was called back stays in the queue, and waits for its answer alone
    gone = Command.objects.filter(state=Command.State.CANCELLED)
    for rows, body in ((FinishedCommand.objects, "body"), (Result.objects, "body"), (gone, None)):
        _enter(books, rows.filter(channel__enrollment__user__user_id="bench"), body)
    return books


def _enter(books: defaultdict[UUID, list[Kept]], rows: Any, body: str | None) -> None:
    from devices.models import Command

    words: dict[int, str] = {
        Command.State.ACKNOWLEDGED: "Acknowledged",
        Command.State.ERROR: "Error",
        Command.State.FORMAT_ERROR: "CommandFormatError",
        Command.State.CANCELLED: CALLED_BACK,
    }
    columns = "uuid", "state", "channel__enrollment__udid", "channel__user_key", *filter(None, [body])
    for uuid, state, udid, user, *said in rows.values_list(*columns).iterator(chunk_size=100):
        digest = hashlib.sha256(said[0] if said and said[0] else b"").digest()
        books[uuid].append(Kept(f"{udid} {user}".strip(), words.get(state, str(state)), digest))


def _of_declarations(holds: Mapping[str, Holds]) -> dict[str, list[str]]:
    """What each channel holds and has reported, against what is known of it."""
    from devices.models import DeclarationSet, DeclarationState, Manifest

    listed = {row.token: {(kind, name): token for kind, name, token in row.items} for row in Manifest.objects.all()}
    told: defaultdict[int, dict[tuple[str, str], str]] = defaultdict(dict)
    for channel, kind, name, token in DeclarationState.objects.values_list(
        "channel", "kind", "identifier", "server_token"
    ):
        told[channel][kind, name] = token
    wrong: defaultdict[str, list[str]] = defaultdict(list)
    columns = "pk", "channel__enrollment__udid", "channel__user_key", "served_token", "channel__status__items"
    unknown = dict(holds)
    of_fleet = DeclarationSet.objects.filter(channel__enrollment__user__user_id="bench")
    for key, udid, user, served, items in of_fleet.values_list(*columns):
        who = f"{udid} {user}".strip()
        held = unknown.pop(who, Holds())
        if (number := (items or {}).get(NUMBER, 0)) != held.number:
            wrong["told 200 for another report than the last one that is known"].append(
                f"{who} {held.number} (known: {number})"
            )
        if served != held.manifest.token:
            wrong["holds another set than it was served"].append(who)
        if listed.get(served, {}) != held.manifest.items:
            wrong["its set lists what it was not given"].append(who)
        if told[key] != held.manifest.items:
            wrong["reported other declarations than are known"].append(who)
    return {**wrong, "holds declarations, and has no set": list(unknown)}


def _of_broadcasts(ids: set[int]) -> Iterator[str]:
    """Everybody whom a broadcast was queued for has answered it."""
    from devices.models import Broadcast, Device
    from devices.services import broadcast

    fleet = Device.objects.filter(user__user_id="bench").count()
    for row in Broadcast.objects.filter(pk__in=ids).order_by("pk"):
        told = broadcast.progress(row)
        if (told.queued, told.acknowledged + told.failed) != (fleet, fleet):
            yield f"broadcast {row.pk}: {told}"


def _behind(told: Sequence[Told], version: str) -> set[str]:
    """Of devices: what a Mac's user says stands apart."""
    from devices.models import Device

    informed = {each.who for each in told if each.version == version and " " not in each.who}
    return informed - set(Device.objects.filter(os_version=version).values_list("udid", flat=True))
