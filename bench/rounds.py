"""Rounds: ours and the peer's in turn (A B B A), so that what else the machine does meets both."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from bench import scenarios
from bench.contenders import Contender
from bench.counters import Database
from bench.devices import BenchDevice
from bench.load import Caller, Driver, Load
from bench.processes import Running
from bench.scenarios import Request, Scenario
from bench.yardstick import REFERENCE, Yardstick

FIRST_GUESS: Final = 1500  # answers a second; each round learns from the one before
HEADROOM: Final = 1.5
REPEATED: Final = 256  # of the last requests, and as many again for each connection: wrk hangs up on what it waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    per_second: float
    p50: float
    p99: float
    app: float  # microseconds of processor time for one request
    database: float
    statements: float
    empty: float  # microseconds that an empty answer took just before and just after; 0 where it was not asked
    answered: int = 0
    rows: int = 0  # that hold a result afterwards

    @property
    def cpu(self) -> float:
        return self.app + self.database

    @property
    def cpu_there(self) -> float:
        """What it makes where the budgets were set; 0 where nobody knows."""
        return self.cpu * REFERENCE / self.empty if self.empty else 0.0


@dataclass
class Memory:
    """In megabytes, of a server and what it started."""

    before: float = 0.0
    after_rounds: list[float] = field(default_factory=list)
    requests: int = 0

    @property
    def growth(self) -> float:
        """Since the first round, in which caches fill and code is compiled."""
        return self.after_rounds[-1] - self.after_rounds[0] if self.after_rounds else 0.0


@dataclass
class Contestant:
    """A contender at work, under load."""

    contender: Contender
    server: Running
    driver: Driver
    database: Database | None
    yardstick: Yardstick | None = None
    rates: dict[str, float] = field(default_factory=lambda: defaultdict(lambda: FIRST_GUESS))
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.memory.before = self.server.megabytes()

    def play(self, scenario: Scenario, everyone: Sequence[BenchDevice], concurrency: int) -> Round:
        devices, key = scenario.devices(everyone), f"{scenario.name} {concurrency}"
        while True:
            answers = int(self.rates[key] * self.driver.seconds * HEADROOM) + concurrency
            queued = scenarios.commands(devices, scenario, answers)
            self.contender.queue(queued)
            asked = scenarios.requests(devices, scenario, queued)
            self.driver.write(scenario, asked)
            measured, load = self._measure(scenario, concurrency)
            rows = self._check(scenario, asked, load, concurrency)
            self.memory.after_rounds.append(self.server.megabytes())
            self.memory.requests += load.answered
            self.rates[key] = max(self.rates[key], load.answered / load.seconds)
            if not load.exhausted:
                return replace(measured, answered=load.answered, rows=rows)
            self.rates[key] *= 2

    def _measure(self, scenario: Scenario, concurrency: int) -> tuple[Round, Load]:
        empty = self._empty()
        app, before = self.server.cpu(), self.database.spent() if self.database else None
        statements = self.database.counts().statements if self.database else 0
        load = self.driver.run(self.server.url, scenario, concurrency)
        app = self.server.cpu() - app
        database = self.database.spent().since(before) if self.database and before else 0.0
        statements = (self.database.counts().statements if self.database else 0) - statements
        each = max(load.answered, 1)
        figures = Round(
            per_second=load.answered / load.seconds,
            p50=load.p50,
            p99=load.p99,
            app=app * 1e6 / each,
            database=database * 1e6 / each,
            statements=statements / each,
            empty=(empty + self._empty()) / 2,
        )
        return figures, load

    def _empty(self) -> float:
        return self.yardstick.microseconds() if self.yardstick else 0.0

    def _check(self, scenario: Scenario, asked: Sequence[Request], load: Load, concurrency: int) -> int:
        """Every answer was 200, and what was answered is stored once: in so many rows."""
        who = f"{self.contender.name}, {scenario.name}, {concurrency} at once"
        if load.errors or not load.answered:
            raise SystemExit(f"{who}: {load.errors} errors, {load.answered} answers")
        if not scenario.answers:
            return 0
        with Caller(self.server.url, self.contender) as caller:
            for request in asked[max(load.sent - REPEATED - 4 * concurrency, 0) : load.sent]:
                caller.send(scenario, request)
        stored = self.contender.stored()
        if stored != load.sent or not 0 <= load.sent + load.exhausted - load.answered <= concurrency:
            raise SystemExit(f"{who}: {load.sent} sent, {load.answered} answered, {stored} rows")
        return stored


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with its spread."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        return cls(median(values), min(values), max(values))


FIGURES: Final = ("per_second", "p50", "p99", "app", "database", "cpu", "statements", "empty", "cpu_there")


def figures(rounds: Sequence[Round]) -> dict[str, Figure]:
    return {name: Figure.of([getattr(each, name) for each in rounds]) for name in FIGURES}


def ratio(these: Sequence[Round], those: Sequence[Round], name: str) -> float:
    """Of the medians; 0 where there is nothing to divide by."""
    divisor = median(getattr(each, name) for each in those)
    return median(getattr(each, name) for each in these) / divisor if divisor else 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """All rounds of one scenario; the first and the last of each A B B A are the same server twice."""

    first: list[Round]
    last: list[Round]
    peer: list[Round]
    in_turn: list[str] = field(default_factory=list)  # who played, one after the other

    @property
    def ours(self) -> list[Round]:
        return self.first + self.last

    @property
    def noise(self) -> Mapping[str, float]:
        return {name: ratio(self.first, self.last, name) for name in ("cpu", "per_second")}


def match(
    ours: Contestant, peer: Contestant | None, scenario: Scenario, everyone: Sequence[BenchDevice], *, at_once: int,
    rounds: int,
) -> Match:  # fmt: skip
    done = Match([], [], [])
    turns = [(ours, done.first), *([(peer, done.peer)] * 2 if peer else []), (ours, done.last)]
    for each, its in turns * rounds:
        its.append(each.play(scenario, everyone, at_once))
        done.in_turn.append(each.contender.name)
    return done
