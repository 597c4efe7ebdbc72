"""What a device's message does to the database: one statement, or one transaction, with the same meaning on both.

Of a connect: find the certificate's active enrollment and the channel; take the command that was answered out of the
queue and keep its result, or note that it was put off; note the contact; pick what comes next.  Delivery is at least
once: a command is offered again until it has a result.  One whose payload is gone (a restore in parts) is passed over.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from devices.door.sync import Sync, Synced
from devices.models import Command
from devices.models.command import LONGEST_NOT_NOW
from devices.protocol.result import Status
from epmm import options

Q_contra = TypeVar("Q_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)

# After a NotNow the device comes back by itself, unless something else followed: then a push must bring it back, after
# a pause that grows (protocol reference, 4.6).  Seconds.
FIRST_PAUSE: Final = 300
LONGEST_PAUSE: Final = int(LONGEST_NOT_NOW.total_seconds())
# What a report makes of its command.
STATE_AFTER: Final[Mapping[Status, int]] = {
    Status.NOT_NOW: Command.State.NOT_NOW.value,
    Status.ACKNOWLEDGED: Command.State.ACKNOWLEDGED.value,
    Status.ERROR: Command.State.ERROR.value,
    Status.COMMAND_FORMAT_ERROR: Command.State.FORMAT_ERROR.value,
}
# Where a certificate may be out of date; looked up for one that is, and for no other.
EXPIRED_GOES_ON: Final = f"""EXISTS (
    SELECT 1 FROM epmm_settingrow WHERE name = '{options.DENY_EXPIRED.name}' AND lower(value) IN ('off', 'false')
)"""  # noqa: S608 -- a name of our own


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One connect: who (by certificate), for which channel, and what it reports.

    Nothing changes it; to have Python see to that would cost a hundredth of a connect.
    """

    sha256: bytes
    device_key: str
    user_key: str = ""
    bearer_sha256: bytes | None = field(default=None, repr=False)  # None: not asked for
    status: Status = Status.IDLE
    command: UUID | None = None
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    found: bool
    command: UUID | None = None  # the next one; None: nothing to do
    sealed: bytes = field(default=b"", repr=False)  # what it says, as its Payload holds it


NOT_FOUND: Final = Outcome(found=False)
NOTHING_TO_DO: Final = Outcome(found=True)


class Question(Protocol):
    """Whatever a device wants to know: who asks, and what it reports."""

    sha256: bytes
    device_key: str
    user_key: str
    bearer_sha256: bytes | None
    body: bytes


class Store(Protocol[Q_contra, A_co]):
    async def open(self) -> None:
        """Start.  A database that is not there yet is no failure: it is asked again with each question."""

    async def close(self) -> None:
        """Finish what was begun."""

    def ask(self, question: Q_contra, done: Callable[[A_co | Exception], object]) -> None:
        """Call `done` once, after the commit or with why there was none: StoreUnavailable, or a fault."""

    async def connect(self, question: Q_contra) -> A_co:
        """Returns after the commit.  Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Each has a connection of its own: on PostgreSQL no connect waits for what declarations wait for."""

    connects: Store[Exchange, Outcome]
    syncs: Store[Sync, Synced]


def stores_for(database: Mapping[str, Any]) -> Stores:
    """The stores for an entry of Django's DATABASES."""
    if database["ENGINE"].endswith("sqlite3"):
        from devices.door.sqlite import SqliteConnects  # each needs a driver, and one process needs one of them
        from devices.door.sqlite_syncs import SqliteSyncs

        return Stores(SqliteConnects(str(database["NAME"])), SqliteSyncs(str(database["NAME"])))
    from devices.door.postgresql import PostgresConnects
    from devices.door.postgresql_syncs import PostgresSyncs

    return Stores(PostgresConnects(database), PostgresSyncs(database))
