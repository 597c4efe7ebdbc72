from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import smtp
from tests.smtp import Letterbox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Letterbox]:
    with smtp.open_server(tmp_path) as box:
        smtp.use(box)
        yield box
