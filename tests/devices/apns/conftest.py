from datetime import UTC, datetime

import pytest

from devices.apns_standin import lab
from devices.apns_standin.lab import PushPem
from epmm.dev_tls import ServerFiles
from tests.devices.apns.laboratory import TOPIC, Laboratory


@pytest.fixture(scope="session")
def lab_files(tmp_path_factory: pytest.TempPathFactory) -> ServerFiles:
    return lab.ensure(tmp_path_factory.mktemp("apns"), host="localhost", now=datetime.now(UTC))


@pytest.fixture(scope="session")
def push_pem(lab_files: ServerFiles) -> PushPem:
    return lab.make_push_certificate(lab_files, topic=TOPIC, now=datetime.now(UTC))


@pytest.fixture
def laboratory(lab_files: ServerFiles, push_pem: PushPem) -> Laboratory:
    return Laboratory(files=lab_files, pem=push_pem)
