from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from django.utils import timezone
from pytest_django import Settings

from devices.apns_standin import lab
from devices.apns_standin.lab import PushPem
from devices.models import PushCertificate
from devices.services import outbox, push, push_certificates, results
from epmm.dev_tls import ServerFiles
from tests.devices.services.pushing import DAY, TOPIC, Apple


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> ServerFiles:
    return lab.ensure(tmp_path_factory.mktemp("apns"), host="localhost", now=datetime.now(UTC))


@pytest.fixture(scope="session")
def pem(files: ServerFiles) -> PushPem:
    return lab.make_push_certificate(files, topic=TOPIC, now=datetime.now(UTC))


@pytest.fixture
def certificate(pem: PushPem) -> PushCertificate:
    parsed = x509.load_pem_x509_certificate(pem.certificate)
    key = load_pem_private_key(pem.key, password=None)
    push_certificates.clear_cache()
    return PushCertificate.objects.create(
        private_key=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        key_sha256=b"",
        certificate=parsed.public_bytes(Encoding.DER),
        sha256=b"laboratory",
        topic=TOPIC,
        serial_number="1",
        issuer="laboratory",
        not_before=timezone.now() - DAY,
        not_after=timezone.now() + DAY,
    )


@pytest.fixture
def apple(files: ServerFiles, certificate: PushCertificate, settings: Settings) -> Iterator[Apple]:
    made = Apple(files)
    settings.APNS_HOST, settings.APNS_PORT, settings.APNS_CA = "localhost", made.stand_in.port, files.ca
    yield made
    made.close()
    push_certificates.clear_cache()


@pytest.fixture(autouse=True)
def _no_failures_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """And each failure counts, however soon it comes."""
    monkeypatch.setattr(outbox, "APART", 0)
    results.OUTBOX.forget()
    push._lately.clear()
