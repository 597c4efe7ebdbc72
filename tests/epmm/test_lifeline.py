import pytest

from epmm import lifeline


def test_only_the_leader_of_a_group_may_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpgrp", lambda: 1)

    with pytest.raises(RuntimeError, match="leader"):
        lifeline.hold()
