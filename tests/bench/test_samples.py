"""What the two tests say of samples whose answer is known."""

import random

import pytest

from bench.samples import kolmogorov_smirnov, mann_whitney, quantile


def test_known_answers() -> None:
    longer, chance = mann_whitney([4.0, 5.0, 6.0], [1.0, 2.0, 3.0])
    assert longer == 1
    assert chance == pytest.approx(0.0495, abs=1e-4)
    assert mann_whitney([1.0, 2.0, 2.0], [2.0, 2.0, 3.0])[0] == pytest.approx(2 / 9)  # ties count half
    gap, chance = kolmogorov_smirnov([float(n) for n in range(100)], [float(n) + 20 for n in range(100)])
    assert gap == pytest.approx(0.2)
    assert chance == pytest.approx(0.0366, abs=1e-4)


def test_the_same_is_told_from_what_takes_a_little_longer() -> None:
    chance = random.Random(7)
    ones, others = ([chance.gauss(100, 5) for _ in range(1000)] for _ in range(2))
    slower = [time + 2 for time in others]

    for test in (mann_whitney, kolmogorov_smirnov):
        assert test(ones, others)[1] > 0.01
        assert test(ones, slower)[1] < 1e-9
        assert test(ones, ones)[1] == pytest.approx(1.0)
    assert (quantile(range(100), 0.5), quantile([1.0], 0.99)) == (50, 1.0)
