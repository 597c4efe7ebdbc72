from collections.abc import Iterator

import pytest

from tests.flows.house import House, opened, person
from users.models import User


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    with opened() as made:
        yield made


@pytest.fixture
def anna(house: House) -> User:
    return person()
