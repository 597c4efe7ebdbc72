"""What a look at something found: fine, worth a look, or in the way of an enrollment."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    STOPS = "stops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    subject: str
    verdict: Verdict
    sentence: str

    @classmethod
    def ok(cls, subject: str, sentence: str = "") -> "Finding":
        return cls(subject=subject, verdict=Verdict.OK, sentence=sentence)

    @classmethod
    def warning(cls, subject: str, sentence: str) -> "Finding":
        return cls(subject=subject, verdict=Verdict.WARNING, sentence=sentence)

    @classmethod
    def stops(cls, subject: str, sentence: str) -> "Finding":
        return cls(subject=subject, verdict=Verdict.STOPS, sentence=sentence)
