"""How much of what waits is read together."""

from collections.abc import Mapping, Sequence

import pytest

from devices.services.outbox import LARGE, MOST_BYTES, Outbox

TOGETHER = 50


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ({}, []),
        (dict.fromkeys(range(TOGETHER + 1), 1), [TOGETHER, 1]),
        (dict.fromkeys(range(TOGETHER), LARGE), [16, 16, 16, 2]),
        (dict.fromkeys(range(16), LARGE) | {16: 1}, [16, 1]),
        (dict.fromkeys(range(TOGETHER), MOST_BYTES // TOGETHER), [TOGETHER]),
        ({1: 10, 2: LARGE + 1, 3: 10}, [2, 1]),  # and a large one alone
    ],
)
def test_a_batch_is_bounded_by_number_and_by_size(sizes: Mapping[int, int], batches: list[int]) -> None:
    read: list[list[int]] = []

    def note(keys: Sequence[int]) -> int:
        read.append(list(keys))
        return len(keys)

    outbox = Outbox(read=note, read_large=lambda key: note([key]), set_aside=lambda *_: None, together=TOGETHER)

    assert outbox.work(sizes) == len(sizes)

    assert [len(keys) for keys in read] == batches
    assert sorted(key for keys in read for key in keys) == sorted(sizes)
