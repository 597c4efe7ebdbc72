from collections.abc import Iterator

import pytest

from tests.deploy.production import PROXIES, Production, production


@pytest.fixture(scope="session")
def machine() -> Iterator[Production]:
    with production() as made:
        yield made


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.service(name, "sqlite")) for name in PROXIES], scope="module"
)
def proxied(machine: Production, request: pytest.FixtureRequest) -> Iterator[Production]:
    with PROXIES[request.param](machine):
        yield machine
