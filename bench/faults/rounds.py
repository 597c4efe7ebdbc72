"""A round: devices work, faults strike, all heals, devices go on until all is done, and the books are read."""

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from bench.faults import ledger
from bench.faults.holder import Holds
from bench.faults.installation import Installation, is_database_there
from bench.faults.kinds import Kind, Strike, prepare_clock
from bench.faults.ledger import Ledger
from bench.faults.logs import Logs
from bench.faults.players import Manner, Told
from bench.faults.work import Newcomer, Ordered, Work, broadcast

LOOK_SECONDS: Final = 0.3
LOOKS: Final = 3
FIGURES: Final = ("requests", "200", "503", "broken", "dropped", "twice", "large", "reports", "pushed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    pause: float = 8.0  # of a device that polls
    settling: float = 2.0
    before: float = 3.0  # at most until the first strike; half of what may lie between two
    lasting: float = 6.0  # longer than the door waits for its database
    patience: float = 60  # after healing, until all is done
    per_second: float = 20.0  # commands to single devices
    largest: int = 15  # MiB, of an answer
    is_brief: bool = False

    @classmethod
    def brief(cls) -> Self:
        return cls(pause=1.5, settling=0.7, before=0.3, lasting=1.2, per_second=10, largest=2, is_brief=True)

    def manner(self, number: int) -> Manner:
        return Manner(pause=self.pause, version=f"18.{number}", largest=self.largest)

    def strikes(self, kind: Kind) -> int:
        return 1 if self.is_brief else kind.times


@dataclass
class Rounds:
    installation: Installation
    plan: Plan
    seed: str = field(kw_only=True)
    logs: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        self._ledger, self._logs = Ledger(), Logs(self.logs)
        self._enrolled = 0

    def play(self, order: Sequence[Sequence[Kind]], *, minutes: float | None = None) -> None:
        began = time.monotonic()
        for number, kinds in enumerate(order, 1):
            if minutes is not None and time.monotonic() - began > minutes * 60:
                break
            played = Round(self.installation, self.plan, number, f"{self.seed} {number}", kinds)
            self._ledger.mistakes += played.play()
            self._look(played)
            sys.stdout.write(f"{number:3} of {len(order)}  {played}\n")
            sys.stdout.flush()
            if self._ledger.mistakes:
                raise SystemExit("\n".join([f"seed {self.seed}, round {number}:", *self._ledger.mistakes]))

    def _look(self, played: "Round") -> None:
        self._ledger.enter(played.told)
        self._ledger.add(played.ordered)
        self._ledger.handed += played.handed
        self._ledger.holds |= played.holds
        self._ledger.check_records(played.told, played.manner.version)
        if played.newcomer is not None:
            self._ledger.check_newcomer(played.newcomer)
        self._ledger.mistakes += [*self._compare(played), *played.wrong]
        self._ledger.check_audit()
        explains = [each for kind in played.kinds for each in kind.explains]
        self._ledger.mistakes += self._logs.unexplained(explains)

    def _compare(self, played: "Round") -> list[str]:
        """What the product itself queues may be on its way while the books are read; what is wrong stays so."""
        for _ in range(LOOKS):
            if not (wrong := self._ledger.compare()):
                return []
            wrong += played.until_done()
            self._ledger.enter(played.told)
            self._ledger.handed += played.handed
            self._ledger.holds |= played.holds
        return wrong


@dataclass
class Round:
    installation: Installation
    plan: Plan
    number: int
    seed: str
    kinds: Sequence[Kind]

    def __post_init__(self) -> None:
        self.manner = self.plan.manner(self.number)
        self.counts: Counter[str] = Counter()
        self.told: list[Told] = []
        self.holds: dict[str, Holds] = {}
        self.handed: list[tuple[UUID, float]] = []
        self.wrong: list[str] = []
        self.unsure = 0
        self.ordered = Ordered()
        self.newcomer: Newcomer | None = None
        self.seconds = 0.0

    def __str__(self) -> str:
        figures = ", ".join(f"{self.counts[name]} {name}" for name in FIGURES)
        ordered, names = self.ordered, " ".join(kind.name for kind in self.kinds)
        return (
            f"{names:<9}  {figures}; {len(ordered.commands)} commands and {len(ordered.broadcasts)} broadcasts queued, "
            f"{len(ordered.called_back)} called back, {len(set(self._answered()))} answered, {ordered.pages} pages; "
            f"all done {self.seconds:.1f} s after healing"
        )

    def play(self) -> list[str]:
        """What is not done in the end."""
        chance = random.Random(self.seed)  # noqa: S311 -- to be repeated
        self.installation.devices.behave(self.manner)
        self._take_account()  # and they have heard it
        work = Work(self.installation, chance, per_second=self.plan.per_second)
        jumps = any(kind.name == "clock" for kind in self.kinds)
        if jumps:  # who is killed before that need not start once more
            prepare_clock(self.installation)
        self.newcomer = Newcomer(self.installation, self.number, patience=5 if jumps else 0)
        time.sleep(chance.uniform(0, self.plan.before))  # the broadcast may be under way
        for kind in self.kinds:
            for _ in range(self.plan.strikes(kind)):
                kind.strike(Strike(self.installation, self.manner, chance, kind.lasting or self.plan.lasting))
                self._take_account()
                time.sleep(chance.uniform(0, 2 * self.plan.before))
        self.ordered = work.stop()
        healed = time.monotonic()
        self.installation.until_answering()
        if jumps:
            self._ask_again()
        left = self._settle()
        self.seconds = time.monotonic() - healed
        self.newcomer.leave()
        return left

    def _ask_again(self) -> None:
        """Which of two answers is the later one, a clock that moved cannot say: the records must follow the next."""
        self.manner = replace(self.manner, version=f"{self.manner.version}.1")
        self.installation.devices.behave(self.manner)
        self._take_account()
        self.ordered.broadcasts.add(broadcast())

    def _settle(self) -> list[str]:
        self.installation.devices.behave(self.manner.gentle(self.plan.settling))
        return self.until_done()

    def until_done(self) -> list[str]:
        """Or what is not."""
        began = time.monotonic()
        while not (self._is_done() or self.wrong):
            if time.monotonic() - began > self.plan.patience:
                return [f"not done after {self.plan.patience:.0f} s: {ledger.what_is_left(self.ordered)}"]
            time.sleep(LOOK_SECONDS)
        return []

    def _is_done(self) -> bool:
        """The books first: who answers between two looks must be in the account."""
        is_settled = self.newcomer is None or self.newcomer.is_enrolled
        is_done = is_settled and is_database_there() and ledger.is_all_done(self.ordered)
        self._take_account()
        return is_done and not self.unsure

    def _take_account(self) -> None:
        account = self.installation.devices.account()
        self.counts += account.counts
        self.told += account.told
        self.holds |= account.holds
        self.handed += account.handed
        self.wrong += account.wrong
        self.unsure = account.unsure

    def _answered(self) -> list[object]:
        return [each.uuid for each in self.told]
