"""What an earlier run of ours measured: what a run without a peer is compared with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

FILE: Final = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Recorded:
    known: dict[str, Any]

    @classmethod
    def of(cls, database: str) -> Self:
        return cls(json.loads(FILE.read_text())[database])

    def __str__(self) -> str:
        return (
            f"{self.known['run']}; not measured in this run. By what an empty answer takes, which the ratios leave out"
        )

    def ratios(self, scenario: str, at_once: int, *, cpu: float, per_second: float, empty: float) -> dict[str, float]:
        """As those to a peer; empty where nothing is recorded, or nobody knows how fast this machine is."""
        then = self.known["cpu_empty_and_requests_per_second"].get(scenario, {}).get(str(at_once))
        if then is None or not empty:
            return {}
        then_cpu, then_empty, then_rate = then
        slower = empty / then_empty
        return {
            "cpu_us": then_cpu,
            "per_second": then_rate,
            "ratio_rps": per_second / then_rate * slower,
            "ratio_cpu": then_cpu / cpu * slower,
        }
