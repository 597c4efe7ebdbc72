import pytest

from devices.services.configuration_delivery import Signing


@pytest.fixture(autouse=True)
def _unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is delivered can be compared with what was uploaded."""
    monkeypatch.setattr(Signing, "sign", None)
