"""What one request costs in statements, commits, fsyncs and round trips: one client, one request after the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench import relay, scenarios
from bench.contenders import Contender
from bench.counters import Database
from bench.devices import BenchDevice
from bench.load import Caller
from bench.relay import Relay
from bench.scenarios import Scenario

REQUESTS: Final = 200
# A session of PostgreSQL reports what it did when that is due, once a second, at the end of what it does next.
DUE_SECONDS: Final = 1.1
REPORTING: Final = 2  # requests, for servers with more than one session


@dataclass(frozen=True, slots=True, kw_only=True)
class PerRequest:
    round_trips: float
    statements: float
    commits: float
    fsyncs: float

    def __str__(self) -> str:
        return (
            f"{self.round_trips:.2f} round trips, {self.statements:.2f} statements, "
            f"{self.commits:.2f} commits, {self.fsyncs:.2f} fsyncs"
        )


class Counter:
    """A server whose way to its database leads past us; its times say nothing."""

    def __init__(self, contender: Contender, url: str, database: Database, passing: Relay) -> None:
        self._contender, self._url, self._database, self._passing = contender, url, database, passing

    def count(self, scenario: Scenario, everyone: Sequence[BenchDevice], times: int = REQUESTS) -> PerRequest:
        devices = scenario.devices(everyone)
        total = times + 2 * REPORTING
        queued = scenarios.commands(devices, scenario, total)
        self._contender.queue(queued)
        asked = scenarios.requests(devices[:total], scenario, queued)
        waiting = iter([asked[number % len(asked)] for number in range(total)])
        with Caller(self._url, self._contender) as caller:

            def send(count: int) -> None:
                for _ in range(count):
                    caller.send(scenario, next(waiting))

            self._report(send)
            before, trips = self._database.counts(), self._passing.round_trips
            send(times)
            trips_of_them = self._passing.round_trips - trips
            self._report(send)
            counts = self._database.counts().since(before)
        counted = times + REPORTING
        if scenario.answers and (stored := self._contender.stored()) != total:
            raise SystemExit(f"{self._contender.name}, {scenario.name}: {total} answered, {stored} rows")
        return PerRequest(
            round_trips=trips_of_them / times,
            statements=counts.statements / counted,
            commits=counts.commits / counted,
            fsyncs=counts.fsyncs / counted,
        )

    @staticmethod
    def _report(send: Callable[[int], None]) -> None:
        time.sleep(DUE_SECONDS)
        send(REPORTING)


@contextmanager
def counter(contender: Contender) -> Iterator[Counter]:
    database = Database(contender.database_url)
    try:
        with relay.opened(contender.database_url) as passing, contender.running(passing.url) as server:
            yield Counter(contender, server.url, database, passing)
    finally:
        database.close()
