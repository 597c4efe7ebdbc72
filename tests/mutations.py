"""Messages that went wrong on the way: a good one with a few bytes changed, for fuzz tests.

How many examples a fuzz test tries is up to the Hypothesis profile, so such a test sets `deadline=None` and no more.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


def mutated(*originals: bytes) -> SearchStrategy[bytes]:
    """One of `originals` with up to eight changes: bytes replaced, removed, or put in, pieces repeated."""
    change = st.tuples(st.integers(0, 1 << 16), st.integers(0, 8), st.binary(max_size=8))
    return st.builds(_changed, st.sampled_from(originals), st.lists(change, min_size=1, max_size=8))


def _changed(original: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    message = original
    for place, removed, put_in in changes:
        at = place % (len(message) + 1)
        message = message[:at] + put_in + message[at + removed :]
    return message
