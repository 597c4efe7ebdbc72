"""A device beside the list, in a real browser: what opens it, what stands in the address, how it closes."""

import re

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from devices.models import Device
from tests.devices.services.rows import device_of, enrolled
from tests.enrollment.pages import chromium
from tests.portal.test_browser import signed_in, site  # noqa: F401 - a fixture

pytestmark = [pytest.mark.service("chromium"), pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def phone(transactional_db: None) -> Device:
    return device_of(enrolled(device_name="Anna's iPhone"))


def opened(page: Page, address: str, device: Device) -> None:
    page.goto(address)
    page.click(f"a[data-panel][href$='{device.uuid}']")
    expect(page.locator("#dialog[open] .panel h2")).to_have_text("Anna's iPhone")


@pytest.mark.parametrize("viewport", [chromium.DESK, chromium.PHONE], ids=["desk", "phone"])
def test_a_row_opens_its_device_and_the_address_keeps_it_until_it_is_closed(
    site: LiveServer,  # noqa: F811 - a fixture
    phone: Device,
    viewport: ViewportSize,
) -> None:
    with signed_in(site, viewport) as page:
        opened(page, f"{site.url}/admin/devices?sort=-seen", phone)
        assert page.url.endswith(f"/admin/devices?sort=-seen&open={phone.uuid}")
        page.click("#dialog .menu > summary")
        body = page.locator("#dialog .menu-body").bounding_box()
        panel = page.locator("#dialog").bounding_box()
        assert body is not None
        assert panel is not None
        assert panel["x"] <= body["x"]
        assert body["x"] + body["width"] <= panel["x"] + panel["width"]
        page.keyboard.press("Escape")
        expect(page.locator("#dialog .menu-body")).to_be_hidden()
        page.reload()
        expect(page.locator("#dialog[open] .panel")).to_be_visible()
        page.click("#dialog [data-close]")
        expect(page.locator("#dialog[open]")).to_have_count(0)
        page.wait_for_url(f"{site.url}/admin/devices?sort=-seen")


def test_with_a_key_held_the_page_opens_instead(site: LiveServer, phone: Device) -> None:  # noqa: F811
    with signed_in(site, chromium.DESK) as page:
        page.goto(f"{site.url}/admin/devices")
        with page.context.expect_page() as beside:
            page.click(f"a[data-panel][href$='{phone.uuid}']", modifiers=["Control"])
        beside.value.wait_for_url(f"{site.url}/admin/devices/{phone.uuid}")
        beside.value.close()
        expect(page.locator("#dialog[open]")).to_have_count(0)


def test_what_is_done_in_the_panel_shows_in_it_afterwards(site: LiveServer, phone: Device) -> None:  # noqa: F811
    with signed_in(site, chromium.DESK) as page:
        opened(page, f"{site.url}/admin/devices", phone)
        page.click("#dialog .menu > summary")
        page.click("#dialog .menu-item:has-text('Lost')")
        page.click("#dialog .button.primary:has-text('Mark as lost')")
        expect(page.locator("#dialog [role=status]")).to_have_text("Lost: done for 1 device.")
        page.click("#dialog .button.primary")
        expect(page.locator("#dialog[open] .panel .badge", has_text=re.compile("^Lost$")).first).to_be_visible()
        assert page.url.endswith(f"?open={phone.uuid}")
        page.click("#dialog a[aria-label='Open page']")
        page.wait_for_url(f"**/admin/devices/{phone.uuid}")
        assert page.locator(".pages a[aria-current='true']").inner_text() == "Devices"
