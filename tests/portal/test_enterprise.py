"""Settings > General > Enterprise: what hangs on the address of this server."""

from typing import Any

import pytest

from devices.models import Enrollment
from epmm import options, settings_store
from tests.devices.services import rows
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled, text

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/settings/enterprise"
HERE = "https://mdm.example.test:8443"


def test_the_page_names_what_follows_from_the_public_url(
    signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client = signed_in()
    settings_store.change("enrollment.domains", "mdm.example.test,corp.example.com", actor="test")

    with django_assert_max_num_queries(12):
        page = text(client.get(PAGE))
    for address in (f"{HERE}/mdm/connect", f"{HERE}/scep", "https://corp.example.com/.well-known/"):
        assert address in page
    assert "EPMM_PUBLIC_URL" in page
    assert "call another address" not in page


def test_devices_that_would_be_or_are_left_behind_are_counted(signed_in: SignedIn) -> None:
    client = signed_in()
    for number in range(3):
        rows.enrolled(udid=f"u{number}")
    Enrollment.objects.filter(udid="u0").update(server_url=f"{HERE}/mdm/connect")
    Enrollment.objects.filter(udid="u1").update(server_url="https://old.example.test/mdm/connect")
    Enrollment.objects.filter(udid="u2").update(state=Enrollment.State.ENDED)

    page = text(client.get(PAGE))
    assert "1 enrolled device calls this address." in page
    assert "1 enrolled device calls another address" in page
    assert "https://old.example.test/mdm/connect (1)" in page


def test_the_enterprise_gets_its_name(signed_in: SignedIn) -> None:
    client = signed_in()

    assert client.post(PAGE, filled(client, PAGE, **{options.ENTERPRISE_NAME.name: "Corp"}))["Location"] == PAGE
    assert settings_store.read(options.ENTERPRISE_NAME) == "Corp"
