"""What PostgreSQL counts for one database, and what its processes there use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import psycopg

from bench.processes import cpu_seconds, seconds_of_ended

# pg_stat_statements counts at once; the other two when a session has been quiet for a second, or ends.
# Plans are thrown away once a second, whatever was asked.
_COUNTS: Final = """
SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements AS s
        WHERE s.dbid = d.oid AND s.query <> 'DISCARD PLANS'),
       (SELECT xact_commit FROM pg_stat_database AS t WHERE t.datid = d.oid),
       (SELECT wal_sync FROM pg_stat_wal)
FROM pg_database AS d WHERE d.datname = %s
"""
_SESSIONS: Final = "SELECT sessions FROM pg_stat_database WHERE datname = %s"


@dataclass(frozen=True, slots=True)
class Counts:
    statements: int
    commits: int
    fsyncs: int  # of the whole cluster

    def since(self, earlier: "Counts") -> "Counts":
        return Counts(
            self.statements - earlier.statements, self.commits - earlier.commits, self.fsyncs - earlier.fsyncs
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of processor time so far."""

    living: Mapping[int, float]  # sessions, by process
    ended: float  # all sessions of the cluster that are over, and other processes that it started
    opened: int  # sessions, ever

    def since(self, earlier: "Spent") -> float:
        """Also of sessions that came and went meanwhile: some servers open one for each request."""
        used = sum(seconds - earlier.living.get(pid, 0) for pid, seconds in self.living.items())
        if self.opened == earlier.opened:
            return used
        before = sum(seconds for pid, seconds in earlier.living.items() if pid not in self.living)
        return used + self.ended - earlier.ended - before


class Database:
    """Seen from beside it: asking leaves no trace in its own figures."""

    def __init__(self, url: str) -> None:
        self._name = urlsplit(url).path.lstrip("/")
        self._connection = psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def counts(self) -> Counts:
        row = self._connection.execute(_COUNTS, [self._name]).fetchone()
        if row is None:
            raise SystemExit(f"there is no database {self._name}")
        return Counts(*map(int, row))

    def backends(self) -> list[int]:
        rows = self._connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [self._name])
        return [pid for (pid,) in rows]

    def cpu(self) -> dict[int, float]:
        """Seconds by process; empty when they run elsewhere."""
        return cpu_seconds(self.backends())

    def spent(self) -> Spent:
        row = self._connection.execute(_SESSIONS, [self._name]).fetchone()
        return Spent(self.cpu(), seconds_of_ended(self._connection.info.backend_pid), row[0] if row else 0)
