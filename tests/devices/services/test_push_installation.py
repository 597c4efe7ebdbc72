"""A certificate is installed, renewed, moved here; or refused, and then nothing has changed."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import connection, models
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Enrollment, PushCertificate, PushRequest
from devices.services import push_certificates, push_installation, push_requests, push_topics
from devices.services.push_installation import ConfirmationNeeded
from devices.services.push_requests import PushCertificateRefused
from epmm.models import AuditEntry
from tests import apple_portal, pki
from tests.apple_portal import LABORATORY, OTHER_TOPIC, TOPIC
from tests.devices.services.rows import device_of, enrolled
from tests.together import together

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    push_certificates.clear_cache()
    yield
    push_certificates.clear_cache()


def csr(*, anew: bool = False) -> bytes:
    return bytes(push_requests.request(anew=anew, actor="test").csr)


def install(certificate: bytes, **options: Any) -> PushCertificate:
    return push_installation.install(certificate, actor="anna", **options)


def installed(**shape: Any) -> PushCertificate:
    return install(apple_portal.answer(csr(), **shape))


def everything() -> list[Any]:
    tables: list[type[models.Model]] = [PushCertificate, PushRequest, AuditEntry]
    return [list(table._default_manager.values()) for table in tables]


def identity(number: int, **shape: Any) -> tuple[bytes, bytes]:
    """A certificate and its key, made on another server."""
    key = pki.rsa_key(number=number)
    issued = apple_portal.issue(key.public_key(), **shape)
    return apple_portal.pem(issued), pki.Identity(issued, key).key_pem


def under(topic: str, **fields: Any) -> Enrollment:
    enrollment = enrolled(**fields)
    Enrollment.objects.filter(pk=enrollment.pk).update(topic=topic)
    return enrollment


def test_the_answer_to_the_request_becomes_the_certificate() -> None:
    row = installed()

    assert (row.topic, row.installed_at <= timezone.now()) == (TOPIC, True)
    assert not PushRequest.objects.exists()
    entry = AuditEntry.objects.get(action="push_certificate.installed")
    assert (entry.actor, entry.subject, entry.details["before"]) == ("anna", TOPIC, None)
    assert entry.details["sha256"] == row.sha256.hex()
    assert row.private_key.hex() not in str(everything()[2])


def test_der_and_a_file_with_its_chain_are_read_too() -> None:
    request = csr()
    chain = apple_portal.chain_pem(apple_portal.vendor()[1:])

    assert install(chain + apple_portal.answer(request)).topic == TOPIC
    renewed = apple_portal.issue(installed_key(), days=366)
    assert install(pki.Identity(renewed, pki.rsa_key(number=70)).der).sha256.hex() in str(everything()[2])


def installed_key() -> rsa.RSAPublicKey:
    """The public key of the installed certificate."""
    current = push_certificates.current()
    assert current is not None
    key = x509.load_pem_x509_certificate(current.certificate_pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


@pytest.mark.parametrize("same_key", [True, False])
def test_a_renewed_certificate_takes_its_place(same_key: bool) -> None:  # noqa: FBT001 - both ways
    first = installed()
    under(TOPIC)
    request = csr()
    renewed = (
        apple_portal.pem(apple_portal.issue(installed_key(), days=400)) if same_key else apple_portal.answer(request)
    )
    second = install(renewed) if same_key else install(renewed, confirmed=True)

    assert PushCertificate.objects.get().sha256 != first.sha256
    assert (second.topic, second.private_key == first.private_key) == (TOPIC, same_key)
    assert PushRequest.objects.exists() is same_key  # it is not what was answered
    assert AuditEntry.objects.latest("pk").details["before"] == first.sha256.hex()


def test_the_same_one_again_changes_nothing() -> None:
    file = apple_portal.answer(csr())
    install(file)
    before = everything()

    assert install(file).topic == TOPIC
    assert everything() == before


def test_the_apple_account_is_kept_over_a_renewal() -> None:
    install(apple_portal.answer(csr()), apple_account="it@corp.example")
    install(apple_portal.answer(csr(), days=400))
    assert PushCertificate.objects.get().apple_account == "it@corp.example"

    install(apple_portal.answer(csr(), days=401), apple_account="new@corp.example")
    assert PushCertificate.objects.get().apple_account == "new@corp.example"


def test_a_certificate_comes_with_its_key_from_another_server() -> None:
    certificate, key = identity(75)
    row = install(certificate, key=key)

    assert row.topic == TOPIC
    assert AuditEntry.objects.get().details["imported"] is True
    current = push_certificates.current()
    assert current is not None
    assert (current.certificate_pem, current.key_pem) == (certificate, key)


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        (b"nothing", None, "holds no certificate"),
        (pki.issue("mdm.example.test").pem, None, "not an MDM push certificate"),
        (identity(75)[0], None, "for a key that this server does not have"),
        (identity(75)[0], b"nothing", "key cannot be read"),
        (identity(75)[0], identity(76)[1], "key does not belong"),
        (*identity(75, days=-1), "expired on"),
        (*identity(75, begins_in=timedelta(days=1)), "not valid before"),
    ],
)
def test_a_refused_certificate_changes_nothing(certificate: bytes, key: bytes | None, says: str) -> None:
    installed()
    csr()
    before = everything()

    with pytest.raises(PushCertificateRefused, match=says):
        install(certificate, key=key, confirmed=True)
    assert everything() == before


def test_an_answer_to_a_request_that_was_given_up_is_refused() -> None:
    file = apple_portal.answer(csr())
    csr(anew=True)

    with pytest.raises(PushCertificateRefused, match="for a key that this server does not have"):
        install(file)


@pytest.mark.parametrize("state", [Enrollment.State.PENDING, Enrollment.State.ACTIVE])
def test_another_topic_is_refused_while_devices_have_the_present_one(state: Enrollment.State) -> None:
    installed()
    first, second = under(TOPIC, udid="first", state=state), under(TOPIC, udid="second")
    under(TOPIC, udid="gone", state=Enrollment.State.ENDED)
    file = apple_portal.answer(csr(), topic=OTHER_TOPIC)
    before = everything()

    with pytest.raises(PushCertificateRefused, match=f"{OTHER_TOPIC}.*{TOPIC}.*enrolled now: 2") as refused:
        install(file, confirmed=True)
    assert not isinstance(refused.value, ConfirmationNeeded)
    assert everything() == before

    Enrollment.objects.filter(pk__in=[first.pk, second.pk]).update(state=Enrollment.State.ENDED)
    assert install(file).topic == OTHER_TOPIC


def test_devices_with_the_lab_topic_are_named_and_have_to_enroll_again() -> None:
    for number in range(4):
        under(push_topics.lab_topic(), udid=f"device-{number}", device_name=f"iPad {number}")
    file = apple_portal.answer(csr())
    before = everything()

    with pytest.raises(ConfirmationNeeded, match=r"enroll again: 4 \(iPad 0, iPad 1, iPad 2, \.\.\.\)"):
        install(file)
    assert everything() == before

    install(file, confirmed=True)
    assert "iPad 0" in AuditEntry.objects.latest("pk").details["confirmed"][0]
    install(apple_portal.answer(csr(), days=400))  # who renews it has been told


def test_one_device_that_enrolls_once_more_counts_once() -> None:
    under("a", device=device_of(under("a", device_name="iPad")), state=Enrollment.State.PENDING)
    Enrollment.objects.filter(pk=under("a", udid="other").pk).update(device=None)

    assert push_topics.devices_by_topic() == {"a": 2}
    assert (str(push_topics.enrolled("a")), str(push_topics.enrolled("a", most=1))) == ("2", "1+")
    assert str(push_topics.enrolled("b")) == "0"


def test_left_behind_costs_the_same_for_many(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(5):
        under("a", udid=f"device-{number}")

    with django_assert_num_queries(3):
        assert push_topics.left_behind(TOPIC).count == 5


@pytest.mark.parametrize(
    ("shape", "says"),
    [({"issuer": LABORATORY}, "Its issuer .CN=Laboratory. is not Apple's"), ({"days": 100}, "It expires before")],
)
def test_what_is_odd_is_asked_about(shape: dict[str, Any], says: str) -> None:
    installed()
    file = apple_portal.answer(csr(), **shape)
    before = everything()

    with pytest.raises(ConfirmationNeeded, match=says):
        install(file)
    assert everything() == before
    assert install(file, confirmed=True).topic == TOPIC


def test_all_that_is_odd_is_said_at_once() -> None:
    installed()

    with pytest.raises(ConfirmationNeeded) as needed:
        install(apple_portal.answer(csr(), issuer=LABORATORY, days=100))
    assert len(needed.value.consequences) == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_certificate_twice_at_once_is_installed_once() -> None:
    file = apple_portal.answer(csr())

    answers = together(*[lambda: install(file)] * 2)

    assert [type(answer) for answer in answers] == [PushCertificate, PushCertificate]
    assert AuditEntry.objects.filter(action="push_certificate.installed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_certificates_at_once_leave_one_whole() -> None:
    """On an empty table nobody can wait for a row: the database lets one in, and the other is told."""
    pairs = [identity(75), identity(76, topic=OTHER_TOPIC)]

    answers = together(*[lambda pair=pair: install(pair[0], key=pair[1], confirmed=True) for pair in pairs])

    rows = [answer for answer in answers if isinstance(answer, PushCertificate)]
    refused = [answer for answer in answers if not isinstance(answer, PushCertificate)]
    assert all(isinstance(each, PushCertificateRefused) and "at this moment" in str(each) for each in refused)
    current = push_certificates.current()
    assert current is not None
    assert current.topic in {row.topic for row in rows}
    assert (current.certificate_pem, current.key_pem) in pairs
    assert AuditEntry.objects.count() == len(rows)


@pytest.mark.django_db(transaction=True)
def test_whoever_comes_second_to_an_empty_table_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = identity(75)
    real = push_installation._store

    def late(*arguments: Any) -> PushCertificate:
        """Another process installs between our look and our write."""
        monkeypatch.setattr(push_installation, "_store", real)
        install(*identity(76)[:1], key=identity(76)[1])
        return real(*arguments)

    monkeypatch.setattr(push_installation, "_store", late)
    with pytest.raises(PushCertificateRefused, match="at this moment"):
        install(certificate, key=key)


def test_without_a_certificate_there_are_no_credentials() -> None:
    assert push_certificates.current() is None


def test_credentials_are_read_once_and_looked_at_once_a_second(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_certificates, "CACHE_SECONDS", 600)
    row = installed()
    push_certificates.clear_cache()
    with django_assert_num_queries(2):
        credentials = [push_certificates.current() for _ in range(3)]
    push_certificates.clear_cache()
    with django_assert_num_queries(1):
        assert push_certificates.current() is credentials[0]

    current = credentials[0]
    assert current is not None
    assert (current.topic, current.sha256, current.not_after) == (TOPIC, bytes(row.sha256), row.not_after)
    assert "PRIVATE KEY" in current.key_pem.decode()
    assert "PRIVATE" not in repr(current)


def test_a_renewed_certificate_is_at_work_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(push_certificates, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    installed()
    before = push_certificates.current()
    installed(days=400)  # by another process: this one is not told
    assert push_certificates.current() is before

    clock[0] += 1
    now = push_certificates.current()
    assert (before is not None, now is not None) == (True, True)
    assert now != before


def test_the_key_lies_encrypted() -> None:
    row = installed()

    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM devices_pushcertificate")
        (stored,) = cursor.fetchone()
    assert bytes(stored).startswith(b"t1:")
    assert bytes(row.private_key) not in bytes(stored)
