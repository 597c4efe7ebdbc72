"""Settings > iOS > MDM: switches, and the certificate that wakes devices, in three steps."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from devices.models import PushCertificate, PushRequest
from devices.services import push_certificates, push_requests
from epmm import options, settings_store
from epmm.models import AuditEntry
from tests import apple_portal, pki
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled, text

pytestmark = pytest.mark.django_db(transaction=True)
MDM = "/admin/settings/ios-mdm"
CERTIFICATE = "/admin/settings/ios-mdm/certificate"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """What a process remembers of the certificate belongs to the test before."""
    push_certificates.clear_cache()
    yield
    push_certificates.clear_cache()


def test_account_driven_enrollment_is_switched_on(signed_in: SignedIn) -> None:
    client = signed_in()
    assert "Enable Account Driven Device Enrollment" in text(client.get(MDM))

    client.post(MDM, filled(client, MDM, **{options.ADDE.name: "on"}))
    assert settings_store.read(options.ADDE)
    client.post(MDM, filled(client, MDM, **{options.ADDE.name: None}))
    assert not settings_store.read(options.ADDE)


def upload(client: Client, file: bytes, **more: Any) -> Any:
    return client.post(CERTIFICATE, {"certificate": SimpleUploadedFile("c.pem", file), **more})


def test_the_three_steps_lead_to_a_certificate(signed_in: SignedIn) -> None:
    client = signed_in()
    assert "No MDM certificate is installed" in text(client.get(MDM))

    request = client.post(f"{MDM}/request")
    assert request["Content-Disposition"] == 'attachment; filename="epmm-push-request.pem"'
    assert request.content.startswith(b"-----BEGIN CERTIFICATE REQUEST-----")
    assert b"PRIVATE" not in request.content
    csr = bytes(PushRequest.objects.get().csr)
    answer = upload(client, apple_portal.answer(csr), apple_account="it@example.com")

    assert answer["Location"] == MDM
    page = text(client.get(MDM))
    assert "No MDM certificate is installed" not in page
    assert apple_portal.TOPIC in page
    assert "it@example.com" in page
    assert re.search(r"<dd>\s*36[45]\s*</dd>", page)
    assert AuditEntry.objects.get(action="push_certificate.installed").actor == "admin"


def test_a_renewed_one_takes_its_place_and_one_with_another_key_is_refused(signed_in: SignedIn) -> None:
    client = signed_in()
    csr = bytes(push_requests.request(actor="test").csr)
    upload(client, apple_portal.answer(csr, days=100))
    stranger = apple_portal.pem(apple_portal.issue(pki.rsa_key(number=3).public_key()))

    refused = upload(client, stranger)
    assert refused.status_code == 422
    assert "made for a key that this server does not have" in text(refused)
    client.post(f"{MDM}/request", {"anew": "on"})
    renewed = upload(client, apple_portal.answer(bytes(PushRequest.objects.get().csr), days=365))
    assert renewed.status_code == 302
    assert PushCertificate.objects.get().days_left(timezone.now()) > 300


@pytest.mark.parametrize("file", [b"nothing", b"x" * 70_000])
def test_a_file_that_is_no_certificate_is_refused_with_the_reason(signed_in: SignedIn, file: bytes) -> None:
    answer = upload(signed_in(), file)

    assert answer.status_code == 422
    assert "This file holds no certificate." in text(answer)
    assert "Choose the file first." in text(signed_in("other").post(CERTIFICATE, {"apple_account": "x"}))


def test_consequences_are_confirmed_without_choosing_the_file_again(signed_in: SignedIn) -> None:
    client = signed_in()
    csr = bytes(push_requests.request(actor="test").csr)

    asked = upload(client, apple_portal.answer(csr, issuer=apple_portal.LABORATORY))
    assert "only a push service of a laboratory will accept it" in text(asked)
    assert not PushCertificate.objects.exists()
    given = re.search(r'name="given" value="([^"]+)"', text(asked))
    assert given is not None
    assert client.post(CERTIFICATE, {"given": given[1], "confirmed": "on"}).status_code == 302
    assert PushCertificate.objects.exists()


def test_what_was_confirmed_of_one_file_is_not_taken_for_another(signed_in: SignedIn) -> None:
    client = signed_in()
    csr = bytes(push_requests.request(actor="test").csr)
    upload(client, apple_portal.answer(csr))
    asked = upload(client, apple_portal.answer(csr, days=6))
    assert "Your file is kept." in text(asked)
    given = re.search(r'name="given" value="([^"]+)"', text(asked))
    assert given is not None

    other = apple_portal.answer(csr, issuer=apple_portal.LABORATORY)
    asked = upload(client, other, given=given[1], confirmed="on")
    assert "only a push service of a laboratory will accept it" in text(asked)
    assert PushCertificate.objects.get().issuer != "CN=Laboratory"


def test_who_is_at_the_keyboard_is_asked_before_a_key_is_replaced(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in()
    now = time.time()
    monkeypatch.setattr("users.services.portal_sign_in.time.time", lambda: now + 301)
    confirm = "/admin/confirm?next=%2Fadmin%2Fsettings%2Fios-mdm%2Fcertificate"

    assert client.get(CERTIFICATE)["Location"] == confirm
    assert client.post(f"{MDM}/request")["Location"] == confirm
    assert client.post(f"{MDM}/signed")["Location"] == confirm
    assert not PushRequest.objects.exists()


def test_a_vendors_file_is_checked_before_apple_sees_it(signed_in: SignedIn) -> None:
    client = signed_in()
    push_requests.request(actor="test")

    answer = client.post(f"{MDM}/signed", {"signed": SimpleUploadedFile("s", b"nothing")})
    assert answer.status_code == 422
    assert "This is not a signed request." in text(answer)
