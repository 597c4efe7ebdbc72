"""On PostgreSQL: the part of a text that fewest devices hold, which the trigram index is asked for.

The index has a list of devices for each three letters or digits, and reads the lists of all that a text has, however
long they are: for a whole address most of the index, for the number in it next to nothing.  A sample of the devices
tells which are long.  What is chosen changes no answer, for whoever asks compares the whole text besides.
"""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

SAMPLED: Final = 500  # devices, more or less: whole pages of the table are read
KEPT_FOR: Final = 3_600  # seconds
FEWEST: Final = 100  # of fewer devices no list is long
RARE: Final = 0.02  # of all devices: so short a list is worth reading along
SHORT: Final = 3  # lists, which are read in any case
_LENGTH: Final = 3
_SAMPLE: Final = f"""
    SELECT search_text FROM devices_device TABLESAMPLE SYSTEM (
        (SELECT least({SAMPLED} * 100 / greatest(reltuples, 1), 100) FROM pg_class
        WHERE oid = 'devices_device'::regclass)
    ) LIMIT {2 * SAMPLED}"""  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class _Sample:
    until: float
    devices: int
    held: Counter[str]  # how many of them hold these three characters


_samples: Final[dict[str, _Sample]] = {}  # by the name of the database


def part(connection: Any, text: str) -> str:
    """Of a folded text."""
    trigrams = {at: text[at : at + _LENGTH] for at in range(len(text) - 2) if text[at : at + _LENGTH].isalnum()}
    if len(trigrams) <= SHORT:
        return text
    sample = _sample(connection)
    if sample.devices < FEWEST:
        return text
    held = {at: sample.held[trigram] for at, trigram in trigrams.items()}
    start = end = min(held, key=held.__getitem__)
    worth_reading = max(held[start], RARE * sample.devices)
    while held.get(start - 1, sample.devices + 1) <= worth_reading:
        start -= 1
    while held.get(end + 1, sample.devices + 1) <= worth_reading:
        end += 1
    return text[start : end + _LENGTH]


def _sample(connection: Any) -> _Sample:
    name, now = str(connection.settings_dict["NAME"]), time.monotonic()
    known = _samples.get(name)
    if known is None or known.until < now:
        with connection.cursor() as cursor:
            cursor.execute(_SAMPLE)
            texts = [text for (text,) in cursor.fetchall()]
        held = Counter(trigram for text in texts for trigram in {text[at : at + _LENGTH] for at in range(len(text))})
        known = _samples[name] = _Sample(now + KEPT_FOR, len(texts), held)
    return known
