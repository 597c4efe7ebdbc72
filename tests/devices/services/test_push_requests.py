"""From our request to the file that Apple's portal takes."""

from datetime import timedelta

import pytest
from cryptography import x509
from django.db import connection
from django.utils import timezone

from devices.models import PushRequest
from devices.protocol import push_certificate as codec
from devices.protocol.push_certificate import SignedRequest
from devices.services import push_requests
from devices.services.push_requests import PushCertificateRefused
from epmm import settings_store
from epmm.models import AuditEntry
from tests import apple_portal, pki
from tests.apple_portal import chain_pem
from tests.together import together

pytestmark = pytest.mark.django_db


def csr() -> bytes:
    return bytes(push_requests.request(actor="test").csr)


def signed_elsewhere(request: bytes) -> bytes:
    vendor = apple_portal.vendor()
    key = codec.read_key(vendor[0].key_pem)
    return SignedRequest.sign(request, [each.certificate for each in vendor], key).render()


def test_a_request_stays_the_same_until_it_is_given_up() -> None:
    first, again = push_requests.request(actor="anna"), push_requests.request(actor="anna")
    anew = push_requests.request(anew=True, actor="anna")

    assert bytes(again.csr) == bytes(first.csr)
    assert bytes(anew.key_sha256) != bytes(first.key_sha256)
    assert PushRequest.objects.count() == 1
    entries = AuditEntry.objects.filter(action="push_certificate.requested", actor="anna")
    assert [entry.subject for entry in entries.order_by("pk")] == [first.key_sha256.hex(), anew.key_sha256.hex()]


def test_it_names_the_organization_and_its_own_key() -> None:
    settings_store.change("general.enterprise_name", "Example", actor="test")
    row = push_requests.request(actor="test")

    request = x509.load_der_x509_csr(bytes(row.csr))
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=EPMM push certificate,O=Example"
    assert request.public_key() == codec.read_key(row.private_key).public_key()
    settings_store.clear_cache()


def test_the_key_lies_encrypted_and_is_audited_nowhere() -> None:
    row = push_requests.request(actor="test")

    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM devices_pushrequest")
        (stored,) = cursor.fetchone()
    assert bytes(stored).startswith(b"t1:")
    assert row.private_key not in bytes(stored)
    assert row.private_key.hex() not in str(list(AuditEntry.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_at_once_share_a_request() -> None:
    answers = together(*[lambda: push_requests.request(actor="test")] * 2)

    assert {bytes(answer.csr) for answer in answers if isinstance(answer, PushRequest)} == {csr()}
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_begin_anew_at_once_leave_one_request() -> None:
    before = csr()
    answers = together(*[lambda: push_requests.request(anew=True, actor="test")] * 2)

    assert [type(answer) for answer in answers] == [PushRequest, PushRequest]
    assert csr() in {bytes(answer.csr) for answer in answers if isinstance(answer, PushRequest)} - {before}


def test_a_vendor_signs_here() -> None:
    request, vendor = csr(), apple_portal.vendor()
    file = push_requests.sign(chain=chain_pem(vendor), key=vendor[0].key_pem)

    signed = SignedRequest.read(file)
    signed.verify()
    assert signed.csr == request


VENDOR = apple_portal.vendor()
EXPIRED = apple_portal.vendor(timezone.now() - timedelta(days=1))


@pytest.mark.parametrize(
    ("chain", "key", "says"),
    [
        (b"nothing", VENDOR[0].key_pem, "chain is not complete"),
        (chain_pem(VENDOR[:1]), VENDOR[0].key_pem, "chain is not complete"),
        (chain_pem(VENDOR[:2]), VENDOR[0].key_pem, "chain is not complete"),
        (chain_pem(VENDOR[2:]), VENDOR[2].key_pem, "chain is not complete"),
        (chain_pem(VENDOR), b"nothing", "key cannot be read"),
        (chain_pem(VENDOR), VENDOR[1].key_pem, "key does not belong"),
        (chain_pem(EXPIRED), EXPIRED[0].key_pem, "not valid now .CN=MDM Vendor: Example."),
    ],
)
def test_a_vendor_whose_signature_the_portal_would_refuse(chain: bytes, key: bytes, says: str) -> None:
    csr()

    with pytest.raises(PushCertificateRefused, match=says):
        push_requests.sign(chain=chain, key=key)


def test_a_request_signed_elsewhere_becomes_the_same_file() -> None:
    file = signed_elsewhere(csr())

    assert push_requests.check_signed(file) == file


def test_the_wrong_request_was_signed() -> None:
    file = signed_elsewhere(csr())
    push_requests.request(anew=True, actor="test")

    with pytest.raises(PushCertificateRefused, match="Another request was signed"):
        push_requests.check_signed(file)


def test_a_signature_with_another_hash_is_found_out() -> None:
    request, vendor = csr(), apple_portal.vendor()
    sha1 = pki.raw_signature(vendor[0].key, request, "sha1")
    file = SignedRequest(csr=request, chain=[each.certificate for each in vendor], signature=sha1).render()

    with pytest.raises(PushCertificateRefused, match="SHA256withRSA"):
        push_requests.check_signed(file)


def test_a_request_signed_elsewhere_needs_the_whole_chain() -> None:
    request, vendor = csr(), apple_portal.vendor()
    file = SignedRequest.sign(request, [vendor[0].certificate], codec.read_key(vendor[0].key_pem)).render()

    with pytest.raises(PushCertificateRefused, match="chain is not complete"):
        push_requests.check_signed(file)


def test_another_file_is_not_a_signed_request() -> None:
    csr()

    with pytest.raises(PushCertificateRefused, match="not a signed request"):
        push_requests.check_signed(b"nothing")


def test_nothing_can_be_signed_without_a_request() -> None:
    with pytest.raises(PushCertificateRefused, match=r"manage\.py push_certificate request"):
        push_requests.sign(chain=chain_pem(VENDOR), key=VENDOR[0].key_pem)
    with pytest.raises(PushCertificateRefused, match=r"manage\.py push_certificate request"):
        push_requests.check_signed(b"")
