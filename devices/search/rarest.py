"""On PostgreSQL: the parts of a text by which the trigram index finds devices for the least.

The index has a list of devices for each three letters or digits, and reads the lists of all that a text has, however
long they are: for a whole address most of the index, for the number in it next to nothing.  But the fewer of them it
reads, the more devices are left to look at.  A sample of the devices tells how long lists are, and what they share.
What is chosen changes no answer, for whoever asks compares the whole text besides.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, Final

SAMPLED: Final = 500  # devices, more or less: whole pages of the table are read
KEPT_FOR: Final = 3_600  # seconds
FEWEST: Final = 100  # of fewer devices no list is long
RARE: Final = 0.02  # of all devices: so short a list is always worth reading
FEW: Final = 0.004  # of all devices: sooner put in order than met along an order
SHORT: Final = 3  # lists, which are read in any case
LOOKED_AT: Final = 40  # a device that is left costs as much as so many entries of lists
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
    holding: Mapping[str, int]  # a bit for each of them that holds these three characters


_samples: Final[dict[str, _Sample]] = {}  # by the name of the database


def forget() -> None:
    """The samples that this process keeps."""
    _samples.clear()


def is_rare(connection: Any, text: str) -> bool:
    """Whether so few devices hold a folded text that looking at all of them is nothing."""
    trigrams = _trigrams(text).values()
    if not trigrams:
        return False
    sample = _sample(connection)
    held = reduce(and_, (sample.holding.get(trigram, 0) for trigram in trigrams))
    return held.bit_count() <= FEW * sample.devices


def parts(connection: Any, text: str) -> list[str]:
    """Of a folded text, in their order; they do not overlap."""
    trigrams = _trigrams(text)
    if len(trigrams) <= SHORT:
        return [text]
    sample = _sample(connection)
    if sample.devices < FEWEST:
        return [text]
    chosen = _worth_reading({at: sample.holding.get(trigram, 0) for at, trigram in trigrams.items()}, sample.devices)
    starts = [at for at in chosen if not chosen & set(range(at - _LENGTH + 1, at))]
    return [text[start : _end(start, chosen)] for start in sorted(starts)]


def _trigrams(text: str) -> dict[int, str]:
    return {at: text[at : at + _LENGTH] for at in range(len(text) - 2) if _has_list(text, at)}


def _has_list(text: str, at: int) -> bool:
    """Three letters or digits; or two that are a word, with what stands before it, for which the index has a space."""
    first, others, behind = text[at], text[at + 1 : at + _LENGTH], text[at + _LENGTH : at + _LENGTH + 1]
    return others.isalnum() and (first.isalnum() or not behind.isalnum())


def _worth_reading(holding: Mapping[int, int], devices: int) -> set[int]:
    """Places of three letters: the rare ones, then whichever excludes most devices for the length of its list."""
    lengths = {at: held.bit_count() for at, held in holding.items()}
    chosen = {at for at, length in lengths.items() if length <= RARE * devices}
    chosen = chosen or {min(lengths, key=lengths.__getitem__)}
    left = reduce(and_, (holding[at] for at in chosen))
    while others := lengths.keys() - chosen:
        gains = {at: LOOKED_AT * (left & ~holding[at]).bit_count() - lengths[at] for at in others}
        best = max(gains, key=gains.__getitem__)
        if gains[best] <= 0:
            break
        chosen.add(best)
        left &= holding[best]
    return chosen


def _end(start: int, chosen: Collection[int]) -> int:
    """Of the part that begins there, with all that overlaps."""
    end = start + _LENGTH
    while further := [at for at in range(end - _LENGTH + 1, end) if at in chosen]:
        end = further[-1] + _LENGTH
    return end


def _sample(connection: Any) -> _Sample:
    name, now = str(connection.settings_dict["NAME"]), time.monotonic()
    known = _samples.get(name)
    if known is None or known.until < now:
        with connection.cursor() as cursor:
            cursor.execute(_SAMPLE)
            texts = [text for (text,) in cursor.fetchall()]
        holding: dict[str, int] = defaultdict(int)
        for number, text in enumerate(texts):
            for trigram in {text[at : at + _LENGTH] for at in range(len(text))}:
                holding[trigram] |= 1 << number
        known = _samples[name] = _Sample(now + KEPT_FOR, len(texts), dict(holding))
    return known
