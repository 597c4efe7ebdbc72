"""Services > Overview and Certificates: what this server is connected to, signs with, and has issued to whom."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Identity, PushCertificate
from enrollment.services import authorities
from tests.devices.services import rows
from tests.flows.house import switch
from tests.portal import inhabited
from tests.portal.conftest import SignedIn
from tests.portal.pages import text
from users.models import AdminRole, DirectorySync, IdentityProvider

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/services/certificates"
OVERVIEW = "/admin/services"


@pytest.fixture(autouse=True)
def fresh_authorities() -> Iterator[None]:
    """A process remembers its keys; no test may inherit them."""
    authorities.forget_cached()
    yield
    authorities.forget_cached()


def test_connections_and_whether_they_stand(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in()
    inhabited.directory()
    inhabited.webhook()
    authorities.device_ca()

    with django_assert_max_num_queries(12):
        page = text(client.get(OVERVIEW))
    told = ("Apple&#x27;s push service", "Not installed", "Not set up", "Not reached", "contact LDAP server", "SIEM")
    assert [each for each in told if each not in page] == []
    assert f'href="{PAGE}"' in page
    assert "Last asked" not in page

    switch("mail.host", "mail.example.test")
    switch("mail.from", "epmm@example.test")
    reader = signed_in("reader", [AdminRole.SETTINGS_VIEW])
    page = text(reader.get(OVERVIEW))
    assert "Not set up" not in page
    assert f'href="{PAGE}"' not in page
    DirectorySync.objects.update(ended_at=timezone.now())
    assert "Last asked" in text(reader.get(OVERVIEW))


@pytest.mark.parametrize("page", ["", "/ldap", "/providers", "/webhooks"])
def test_no_secret_is_decrypted_for_a_page_that_shows_none(signed_in: SignedIn, page: str) -> None:
    client = signed_in()
    inhabited.directory()
    inhabited.webhook()
    IdentityProvider.objects.create(name="login", issuer="https://login.example.test", client_secret=b"secret")

    with CaptureQueriesContext(connection) as asked:
        assert client.get(f"{OVERVIEW}{page}").status_code == 200
    secrets = r"bind_password|client_secret|former_secret|private_key|\"secret\""
    assert [each["sql"] for each in asked.captured_queries if re.search(secrets, each["sql"])] == []


@pytest.mark.parametrize(("days", "told"), [(61, "Valid"), (59, "Expires soon"), (-1, "Expired")])
def test_a_push_certificate_ends_soon_on_every_page_or_on_none(signed_in: SignedIn, days: int, told: str) -> None:
    client = signed_in()
    until = timezone.now() + timedelta(days=days)
    digests = {"key_sha256": b"", "sha256": b""}
    PushCertificate.objects.create(
        private_key=b"", certificate=b"", topic="topic", not_before=timezone.now(), not_after=until, **digests
    )

    badge = f">{told}</span>"
    for page in (OVERVIEW, "/admin/settings/ios-mdm", "/admin/dashboard"):
        assert badge in text(client.get(page)), page


def test_authorities_and_each_certificate_with_its_device(
    signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client = signed_in()
    assert "No certificate has been issued yet" in text(client.get(PAGE))

    authorities.scep_ra()
    phone = rows.enrolled(udid="a", serial_number="C02A", device_name="Device a", user=rows.person("berta"))
    gone = rows.enrolled(udid="b", serial_number="C02B", device_name="Device b")
    Identity.objects.filter(enrollment=gone).update(state=Identity.State.REVOKED)
    Identity.objects.filter(enrollment=phone).update(serial_number="a1b2")
    with django_assert_max_num_queries(12):
        page = text(client.get(PAGE))
    assert "CN=EPMM Device CA" in page
    assert "CN=EPMM SCEP RA" in page
    assert "a1b2" in page
    assert "Revoked" in page

    for typed in ("A1B", "C02A", "berta"):
        found = text(client.get(PAGE, {"q": typed}))
        assert ("Device a" in found, "Device b" in found) == (True, False)
    assert "Nothing matches" in text(client.get(PAGE, {"q": "bert"}))
