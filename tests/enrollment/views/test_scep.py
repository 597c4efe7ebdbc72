"""The responder over HTTP; the codec has tests of its own."""

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.test import Client
from django.utils import timezone

from devices.models import Enrollment, Identity
from enrollment.models import ScepChallenge
from enrollment.services import authorities, issuance
from tests import pki
from tests.enrollment.conftest import Switch
from tests.enrollment.protocol.scep import client as scep
from users.models import User

pytestmark = pytest.mark.django_db
URL = "/scep?operation=PKIOperation"


@pytest.fixture
def challenge(anna: User) -> ScepChallenge:
    return issuance.new_challenge(Enrollment.objects.create(user=anna, kind="adde"))


def ra() -> pki.Identity:
    signer = authorities.scep_ra()
    return pki.Identity(signer.certificate, signer.key)


def message(text: str | None, *, key: int = 20, transaction: str = "7D3E0F", **seal: Any) -> bytes:
    device = scep.device(pki.rsa_key(number=key))
    sealed = scep.seal(scep.csr(device.key, text), ra(), **seal)
    return scep.sign(sealed, device, scep=scep.attributes(transaction_id=transaction))


def post(client: Client, raw: bytes) -> scep.Reply:
    answer = client.post(URL, raw, content_type="application/x-pki-message")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-pki-message"
    return scep.Reply.load(answer.content)


def issued(reply: scep.Reply, key: int = 20) -> x509.Certificate:
    assert reply.value(scep.PKI_STATUS) == "0"
    (certificate,) = reply.certificates(pki.rsa_key(number=key))
    return certificate


def test_capabilities_and_certificates(client: Client, db: None) -> None:
    assert b"POSTPKIOperation" in client.get("/scep?operation=GetCACaps&message=EPMM").content
    answer = client.get("/scep?operation=GetCACert&message=EPMM")

    assert answer["Content-Type"] == "application/x-x509-ca-ra-cert"
    names = {certificate.subject for certificate in scep.certificates(answer.content)}
    assert names == {authorities.scep_ra().certificate.subject, authorities.device_ca().certificate.subject}


def test_the_challenge_brings_an_identity_with_our_subject(client: Client, challenge: ScepChallenge) -> None:
    certificate = issued(post(client, message(issuance.challenge_text(challenge))))

    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == challenge.reference
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_before_utc < timezone.now() - timedelta(minutes=5)
    identity = Identity.objects.get()
    assert identity.enrollment == challenge.enrollment
    assert bytes(identity.der) == certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("escape", ["", "="])
def test_the_get_form_with_an_unescaped_plus(client: Client, challenge: ScepChallenge, escape: str) -> None:
    """macOS leaves `+` and `/` as they are, and escapes `=`."""
    text = ""
    while "+" not in text:
        text = base64.b64encode(message(issuance.challenge_text(challenge))).decode()
    answer = client.get(f"{URL}&message={quote(text, safe='+/' if escape else '+/=')}")

    issued(scep.Reply.load(answer.content))


@pytest.mark.parametrize("cipher", ["aes128_cbc", "aes256_cbc", "tripledes_3key"])
def test_ciphers(client: Client, challenge: ScepChallenge, cipher: str) -> None:
    issued(post(client, message(issuance.challenge_text(challenge), cipher=cipher)))


def test_des_only_on_request(client: Client, challenge: ScepChallenge, switch: Switch) -> None:
    text = issuance.challenge_text(challenge)
    assert post(client, message(text, cipher="des")).value(scep.FAIL_INFO) == "0"
    switch("scep.legacy_ciphers", "on")

    issued(post(client, message(text, cipher="des")))


def test_a_repeat_gets_the_same_certificate(client: Client, challenge: ScepChallenge) -> None:
    text = issuance.challenge_text(challenge)
    first = issued(post(client, message(text)))

    assert issued(post(client, message(text, transaction="another"))) == first
    assert issued(post(client, message(text))) == first
    assert Identity.objects.count() == 1


def test_a_challenge_serves_one_key(client: Client, challenge: ScepChallenge) -> None:
    text = issuance.challenge_text(challenge)
    issued(post(client, message(text)))
    reply = post(client, message(text, key=21, transaction="another"))

    assert (reply.value(scep.PKI_STATUS), reply.value(scep.FAIL_INFO)) == ("2", "2")
    assert Identity.objects.count() == 1


@pytest.mark.parametrize("text", [None, "", "wrong", "a.b", "{reference}.wrong", "{reference}"])
def test_a_wrong_or_missing_challenge_is_a_scep_failure(
    client: Client, challenge: ScepChallenge, text: str | None
) -> None:
    wrong = text.format(reference=challenge.reference) if text else text
    reply = post(client, message(wrong))

    assert reply.value(scep.PKI_STATUS) == "2"
    assert reply.value(scep.RECIPIENT_NONCE) == scep.NONCE
    assert not Identity.objects.exists()


@pytest.mark.parametrize("change", ["expired", "ended"])
def test_a_challenge_dies_with_time_and_with_its_enrollment(
    client: Client, challenge: ScepChallenge, change: str
) -> None:
    if change == "expired":
        ScepChallenge.objects.update(expires_at=timezone.now())
    else:
        Enrollment.objects.update(state=Enrollment.State.ENDED)

    assert post(client, message(issuance.challenge_text(challenge))).value(scep.PKI_STATUS) == "2"


def test_an_oversized_key_is_refused(client: Client, challenge: ScepChallenge) -> None:
    device = scep.device(pki.rsa_key(bits=4224))
    raw = scep.sign(scep.seal(scep.csr(device.key, issuance.challenge_text(challenge)), ra()), device)

    assert post(client, raw).value(scep.PKI_STATUS) == "2"


@pytest.mark.parametrize("raw", [b"", b"hello", b"\x30\x80" * 100, b"x" * 70_000])
def test_what_cannot_be_read_is_a_400(client: Client, db: None, raw: bytes) -> None:
    assert client.post(URL, raw, content_type="application/x-pki-message").status_code == 400


@pytest.mark.parametrize(
    "query",
    ["", "operation=GetNextCACert", "operation=PKIOperation", "operation=PKIOperation&message=*"],
)
def test_what_is_not_served_is_a_400(client: Client, db: None, query: str) -> None:
    assert client.get(f"/scep?{query}").status_code == 400


def test_keys_of_ours_are_encrypted_at_rest(db: None) -> None:
    from django.db import connection

    authorities.forget_cached()
    authorities.scep_ra()
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM enrollment_authority")
        stored = [bytes(row[0]) for row in cursor.fetchall()]
    assert len(stored) == 2
    assert all(value.startswith(b"t1:") for value in stored)


def test_a_challenge_that_no_column_could_hold_is_refused(client: Client, db: None) -> None:
    assert post(client, message("a\0b.secret")).value(scep.PKI_STATUS) == "2"
