import pytest

from tests.enrollment.simulator.laboratory import Laboratory


@pytest.fixture
def laboratory() -> Laboratory:
    return Laboratory()
