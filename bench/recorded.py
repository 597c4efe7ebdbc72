"""What an earlier run of ours measured: what a run without a peer is compared with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from bench import calibration

FILE: Final = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Recorded:
    known: dict[str, Any]
    slower: float  # how many times as long this machine takes for the same as the other did then

    @classmethod
    def of(cls, database: str) -> Self:
        known = json.loads(FILE.read_text())[database]
        return cls(known, calibration.plistlib_microseconds() / known["calibration_us"])

    def __str__(self) -> str:
        return (
            f"{self.known['run']}, calibration {self.known['calibration_us']} us; not measured in this run. "
            f"This machine takes {self.slower:.2f} times as long, which the ratios leave out"
        )

    def ratios(self, scenario: str, at_once: int, *, cpu: float, per_second: float) -> dict[str, float]:
        """As those to a peer; empty where nothing is recorded."""
        then = self.known["cpu_us_and_requests_per_second"].get(scenario, {}).get(str(at_once))
        if then is None:
            return {}
        then_cpu, then_rate = then
        return {
            "cpu_us": then_cpu,
            "per_second": then_rate,
            "ratio_rps": per_second / then_rate * self.slower,
            "ratio_cpu": then_cpu / cpu * self.slower,
        }
