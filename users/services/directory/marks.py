"""What a directory changed since the last time: by its own counting where it counts, else by its own clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from users.models import Directory
from users.services.directory.client import Connection, Entry

MODIFIED: Final = "modifyTimestamp"
CHANGED: Final = "uSNChanged"
# A change may be written here, or reach this server, a little after one with a later time.
OVERLAP: Final = timedelta(minutes=10)
GENERALIZED: Final = "%Y%m%d%H%M%SZ"  # RFC 4517, 3.3.13


class ByClock:
    """`modifyTimestamp`, which any server has."""

    wanted = (MODIFIED,)

    def __init__(self, since: dict[str, Any]) -> None:
        self._since = str(since.get("at", ""))
        self._latest = self._since

    @property
    def is_usable(self) -> bool:
        return bool(self._since)

    @property
    def filter(self) -> str:
        at = datetime.strptime(self._since, GENERALIZED).replace(tzinfo=UTC) - OVERLAP
        return f"({MODIFIED}>={at.strftime(GENERALIZED)})"

    def see(self, page: Sequence[Entry]) -> None:
        for entry in page:
            if is_time(at := entry.text(MODIFIED)):
                self._latest = max(self._latest, at)

    @property
    def next(self) -> dict[str, Any]:
        return {"at": self._latest} if self._latest else {}


class ByNumber:
    """`uSNChanged` of Active Directory: each server counts for itself, so a number means nothing to another one."""

    wanted = (CHANGED,)

    def __init__(self, since: dict[str, Any], server: str, highest: int) -> None:
        self._since = int(since.get("number", 0)) if since.get("server") == server else 0
        self._server, self._highest = server, highest

    @property
    def is_usable(self) -> bool:
        return self._since > 0

    @property
    def filter(self) -> str:
        return f"({CHANGED}>={self._since + 1})"

    def see(self, page: Sequence[Entry]) -> None:
        """What was the highest when we began is enough: what came since comes again."""

    @property
    def next(self) -> dict[str, Any]:
        return {"server": self._server, "number": self._highest}


def of(connection: Connection, since: dict[str, Any]) -> ByClock | ByNumber:
    if connection.directory.kind == Directory.Kind.ACTIVE_DIRECTORY:
        root = connection.read("", ["highestCommittedUSN", "dsServiceName"])
        if root is not None and (highest := root.text("highestCommittedUSN")).isdecimal():
            return ByNumber(since, root.text("dsServiceName"), int(highest))
    return ByClock(since)


def is_time(text: str) -> bool:
    try:
        datetime.strptime(text, GENERALIZED).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
