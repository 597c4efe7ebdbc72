"""Are these two sets of times of one kind?  Two tests that assume nothing about how times are spread."""

import math
from collections.abc import Sequence
from typing import Final

TERMS: Final = 100


def quantile(times: Sequence[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def mann_whitney(ones: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """How often one of `ones` is the longer (0.5: neither side is), and the probability of that or less by chance."""
    ranked = sorted([(time, True) for time in ones] + [(time, False) for time in others])
    among, against = len(ones), len(others)
    ranks = sum(_middle(ranked, place) for place, (_time, is_one) in enumerate(ranked) if is_one)
    longer = ranks - among * (among + 1) / 2
    spread = math.sqrt(among * against * (among + against + 1) / 12)
    return longer / (among * against), math.erfc(abs(longer - among * against / 2) / spread / math.sqrt(2))


def _middle(ranked: Sequence[tuple[float, bool]], place: int) -> float:
    """The rank; that of equal times is shared."""
    first = last = place
    while first > 0 and ranked[first - 1][0] == ranked[place][0]:
        first -= 1
    while last + 1 < len(ranked) and ranked[last + 1][0] == ranked[place][0]:
        last += 1
    return (first + last) / 2 + 1


def kolmogorov_smirnov(ones: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """The widest gap between the shares that took no longer than any time, and the probability of it by chance."""
    ones, others = sorted(ones), sorted(others)
    gap, one, other = 0.0, 0, 0
    for time in sorted({*ones, *others}):
        while one < len(ones) and ones[one] <= time:
            one += 1
        while other < len(others) and others[other] <= time:
            other += 1
        gap = max(gap, abs(one / len(ones) - other / len(others)))
    scaled = math.sqrt(len(ones) * len(others) / (len(ones) + len(others))) * gap
    if scaled < 0.2:  # noqa: PLR2004 - where the series does not converge, and chance explains all
        return gap, 1.0
    series = sum((-1) ** (n - 1) * math.exp(-2 * (n * scaled) ** 2) for n in range(1, TERMS))
    return gap, min(1.0, max(0.0, 2 * series))
