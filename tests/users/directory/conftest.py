from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import directories
from tests.directories import Slapd
from users.models import Directory
from users.services.directory import client


@pytest.fixture(autouse=True)
def nothing_has_failed() -> None:
    """A process remembers which server was away."""
    client.forget_failures()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Slapd]:
    with directories.running(tmp_path / "slapd") as running:
        yield running


@pytest.fixture
def directory(server: Slapd, db: None) -> Directory:
    return directories.directory(server)
