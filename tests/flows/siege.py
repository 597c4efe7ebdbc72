"""One kind of attack after the other, as often as wanted."""

from collections import Counter
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from tests.flows.target import Request, Target

TROUBLE: Final = list(HealthCheck)  # large messages and slow answers are the point


def lay(target: Target, attack: SearchStrategy[Request], *, examples: int, by_insider: bool = False) -> Counter[int]:
    """Send so many requests; return how often each status was the answer."""
    answers: Counter[int] = Counter()
    target.take_stock()

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=TROUBLE)
    @given(attack)
    def send(request: Request) -> None:
        answers[target.send(request).status] += 1
        if by_insider:
            target.revive()

    send()
    target.assert_victim_untouched()
    if not by_insider:
        target.assert_untouched()
    return answers
