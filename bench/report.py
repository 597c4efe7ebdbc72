"""The figures as lines and as JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from bench.counting import PerRequest
from bench.recorded import Recorded
from bench.rounds import Figure, Match, Memory, Round, figures, ratio
from bench.scenarios import Scenario
from bench.yardstick import REFERENCE

CONDITIONS: Final = ("without TLS", "last contact: strict (written in the same statement, durable before the answer)")


class Report:
    def __init__(self, *, as_json: bool, database: str, about: Mapping[str, Any], recorded: Recorded | None) -> None:
        self._as_json, self._database, self._recorded = as_json, database, recorded
        self._told: dict[str, Any] = {"conditions": list(CONDITIONS), **about, "counts": [], "plans": {}, "rounds": []}
        self.say("\n".join([*(f"{name}: {value}" for name, value in about.items()), *CONDITIONS]) + "\n")

    def say(self, text: str) -> None:
        if not self._as_json:
            sys.stdout.write(text)
            sys.stdout.flush()

    def counted(self, name: str, scenario: Scenario, counts: PerRequest) -> None:
        self._told["counts"].append({"server": name, "scenario": scenario.name, **asdict(counts)})
        self.say(f"{scenario.name:<14} {name:<6} {counts}\n")

    def planned(self, scenario: Scenario, plan: str) -> None:
        """With the rows that each step met."""
        plans: dict[str, str] = self._told["plans"]
        if same := [name for name, known in plans.items() if known == plan]:
            self.say(f"{scenario.name:<14} same plan and rows as {same[0]}\n")
        plans[scenario.name] = plan

    def played(self, scenario: Scenario, at_once: int, match: Match, names: Sequence[str]) -> None:
        told: dict[str, Any] = {"scenario": scenario.name, "concurrency": at_once, "noise": match.noise}
        told["in_turn"] = match.in_turn
        told["budget_cpu"] = budget = scenario.budget.get(self._database)
        budgeted = f"budget {budget} us" if budget else "no budget"
        in_turn = f"; in turn {', '.join(match.in_turn)}" if match.peer else ""
        self.say(f"{scenario.name}, {at_once} at once; {budgeted}{in_turn}\n")
        for name, rounds in zip(names, (match.ours, match.peer), strict=False):
            known = figures(rounds)
            answered, rows = (sum(getattr(each, key) for each in rounds) for key in ("answered", "rows"))
            told[name] = {key: asdict(figure) for key, figure in known.items()} | {"answered": answered, "rows": rows}
            self.say(f"  {name:<6} {_line(known)}; {answered} answered{f', {rows} rows' if rows else ''}\n")
            if known["empty"].median:
                self.say(f"         {_there(known)}\n")
        noise = ", ".join(f"{name} {value:.2f}" for name, value in match.noise.items())
        self.say(f"  {'A/A':<6} {noise}\n")
        if match.peer:
            told |= _ratios(match.ours, match.peer)
            self.say(f"  {_of(told)}\n")
        elif self._recorded:
            told["recorded"] = self._beside_recorded(self._recorded, scenario, at_once, figures(match.ours))
        self._told["rounds"].append(told)

    def _beside_recorded(
        self, recorded: Recorded, scenario: Scenario, at_once: int, ours: Mapping[str, Figure]
    ) -> dict[str, float]:
        cpu, rate, empty = (ours[name].median for name in ("cpu", "per_second", "empty"))
        told = recorded.ratios(scenario.name, at_once, cpu=cpu, per_second=rate, empty=empty)
        if told:
            then = f"CPU {told['cpu_us']} us; {told['per_second']} requests/s"
            self.say(f"  recorded, not measured now: {then}; {_of(told)}\n")
        return told

    def remembered(self, name: str, memory: Memory) -> None:
        """What a server held before the first round, and after each."""
        self._told.setdefault("memory", {})[name] = asdict(memory)
        shown = ", ".join(f"{megabytes:.0f}" for megabytes in memory.after_rounds)
        self.say(
            f"memory of {name}: {memory.before:.0f} MB before, then {shown}; {memory.growth:+.1f} MB after the first,"
            f" over {memory.requests} requests\n"
        )

    def end(self) -> None:
        self.say("\n".join(CONDITIONS) + "\n")
        if self._as_json:
            sys.stdout.write(json.dumps(self._told, indent=2) + "\n")


def _ratios(ours: Sequence[Round], peer: Sequence[Round]) -> dict[str, float]:
    return {"ratio_rps": ratio(ours, peer, "per_second"), "ratio_cpu": ratio(peer, ours, "cpu")}


def _of(ratios: Mapping[str, float]) -> str:
    return f"ratio_rps {ratios['ratio_rps']:.2f}, ratio_cpu {ratios['ratio_cpu']:.2f}"


def _there(known: Mapping[str, Figure]) -> str:
    """Each round by the empty answers just before and just after it."""
    empty, cpu = known["empty"], known["cpu_there"]
    return (
        f"an empty answer {empty.median:.0f} us ({empty.low:.0f} to {empty.high:.0f}), {REFERENCE:.0f} where the "
        f"budgets were set: by it {cpu.median:.0f} us ({cpu.low:.0f} to {cpu.high:.0f})"
    )


def _line(known: Mapping[str, Figure]) -> str:
    rate, cpu = known["per_second"], known["cpu"]
    parts, statements = "", ""
    if known["statements"].median:  # else the database is part of the process
        parts = f"{known['app'].median:.0f} + {known['database'].median:.0f} = "
        statements = f", {known['statements'].median:.2f} statements"
    return (
        f"CPU {parts}{cpu.median:.0f} us ({cpu.low:.0f} to {cpu.high:.0f}){statements}; "
        f"{rate.median:.0f} requests/s ({rate.low:.0f} to {rate.high:.0f}), "
        f"p50 {known['p50'].median:.1f} ms, p99 {known['p99'].median:.1f} ms"
    )
