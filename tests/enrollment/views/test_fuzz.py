"""Random and mutated requests against the whole product: no failure, no wrong 401, no row that a stranger wrote.

In CI the same 200 of each kind each time; `bench/fuzz.py` goes on for as long as wanted, and watches the memory.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.flows import attacks, house
from tests.flows.siege import lay
from tests.flows.target import Target, made_in

pytestmark = pytest.mark.long
EXAMPLES = 200 if settings.get_current_profile_name() == "ci" else 60


@pytest.fixture
def target(transactional_db: None) -> Iterator[Target]:
    with house.opened() as opened, made_in(opened) as made:
        yield made


@pytest.mark.parametrize("attack", attacks.STRANGERS)
def test_strangers_get_nowhere(target: Target, attack: attacks.Attack) -> None:
    answers = lay(target, attack(target), examples=EXAMPLES)

    assert len(answers) > 1, "every request ended at the same place"


def test_a_device_gone_mad_harms_nobody_else(target: Target) -> None:
    answers = lay(target, attacks.mad_device(target), examples=EXAMPLES, by_insider=True)

    assert {200, 400, 403} <= answers.keys()
    assert len(target.victim.connect()) == 5
