"""Advanced Search in a real browser: by rows, by expression, by the keyboard alone, on a phone."""

from typing import Final

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from devices.models import Device, Label
from tests.devices.services.rows import enrolled, person
from tests.enrollment.pages import chromium
from tests.portal.keys import type_ahead
from tests.portal.test_browser import in_both_schemes, reach, signed_in, site

__all__ = ["site"]  # a fixture
pytestmark = [pytest.mark.service("chromium"), pytest.mark.once, pytest.mark.django_db(transaction=True)]

STORY: Final = '"ios.account_driven_device_enrolled" = "true"'
GROUPED: Final = "common.status = ACTIVE AND (ios.Supervised = true OR common.last_connected_at > now-30d)"


@pytest.fixture(autouse=True)
def devices(site: LiveServer) -> None:
    enrolled(device_name="Anna's iPhone")
    enrolled(udid="2", device_name="Old iPhone", status=Device.Status.RETIRED, mdm_managed=False)
    Device.objects.create(user=person(), device_name="Invited", status=Device.Status.VERIFICATION_PENDING)


def opened(page: Page, site: LiveServer, query: str = "advanced=1") -> None:
    page.goto(f"{site.url}/admin/devices?{query}")
    page.wait_for_selector("#search-field-0 optgroup", state="attached")


def shown(page: Page) -> list[str]:
    return page.locator("#rows tbody td:nth-child(3)").all_inner_texts()


def text(page: Page) -> str:
    return page.locator("#search-text").input_value()


def settle(page: Page) -> None:
    """What has just been swapped in listens some milliseconds later: sooner than anybody types.

    And who leaves while something is on its way has htmx complain of it.
    """
    page.wait_for_function(
        """() => !document.querySelector(".htmx-request, .htmx-added, .htmx-settling")
            && ![...document.querySelectorAll("[id$=-count], .badge")].some((part) => part.textContent.includes("…"))"""
    )


def wait_for_text(page: Page, wanted: str) -> None:
    page.wait_for_function("wanted => document.querySelector('#search-text').value === wanted", arg=wanted)
    settle(page)


def test_the_story_of_rows(site: LiveServer) -> None:
    device = Device.objects.get(device_name="Invited")
    with signed_in(site, chromium.DESK) as page:
        page.goto(f"{site.url}/admin/devices/{device.uuid}")
        page.get_by_role("link", name="Advanced Search").click()
        page.locator("#search-field-0").select_option(label="Account Driven Device Enrolled")
        page.locator("#search-is-0").wait_for()
        chosen = [page.locator(f"#search-{part}-0").input_value() for part in ("operator", "is")]
        wait_for_text(page, STORY)
        page.get_by_text("1 device matches").wait_for()
        is_excluded = page.get_by_label("Exclude retired devices from search results").is_checked()
        page.get_by_role("button", name="Search", exact=True).click()
        page.wait_for_url("**search=*")
        found = shown(page)
        settle(page)
        page.get_by_label("Exclude retired devices from search results").uncheck()
        page.get_by_text("2 devices match").wait_for()
        settle(page)
        page.get_by_role("button", name="Search", exact=True).click()
        page.wait_for_url("**retired=1*")
        found_with_retired = shown(page)
        settle(page)
        page.get_by_role("link", name="Clear").click()
        page.wait_for_url("**advanced=1")
        cleared = (text(page), shown(page))
        settle(page)

    assert (chosen, is_excluded) == (["=", "true"], True)
    assert found == ["Anna's iPhone"]
    assert sorted(found_with_retired) == ["Anna's iPhone", "Old iPhone"]
    assert cleared == ("", ["Anna's iPhone", "Invited"])


def test_whoever_searches_at_once_finds_what_was_typed_last(site: LiveServer) -> None:
    with signed_in(site, chromium.DESK) as page:
        opened(page, site)
        page.locator("#search-field-0").select_option("ios.DeviceName")
        page.wait_for_selector("#search-is-0")
        settle(page)
        page.locator("#search-operator-0").select_option("contains")
        settle(page)
        page.locator("#search-is-0").fill("Invi")
        page.get_by_role("button", name="Search", exact=True).click()
        page.wait_for_url("**search=*")
        found = (text(page), shown(page))
        settle(page)
        page.locator("#search-is-0").fill("iphone")
        page.keyboard.press("Enter")
        page.wait_for_url("**iphone*")
        found_next = (text(page), shown(page))
        settle(page)

    assert found == ('"ios.DeviceName" "contains" "Invi"', ["Invited"])
    assert found_next == ('"ios.DeviceName" "contains" "iphone"', ["Anna's iPhone"])


def test_the_expression_moves_the_rows(site: LiveServer) -> None:
    with signed_in(site, chromium.DESK) as page:
        opened(page, site)
        page.locator("#search-text").fill(GROUPED)
        page.wait_for_selector("#search-field-1-1")
        settle(page)
        fields = [page.locator(f"#search-field-{name}").input_value() for name in ("0", "1-0", "1-1")]
        ago = (page.locator("#search-is-1-1").input_value(), page.locator("#search-how-1-1").input_value())
        page.locator("#search-is-1-1").fill("2")
        page.locator("#search-is-1-1").blur()  # as the next press of a person would: what is left sends what it holds
        wait_for_text(
            page,
            '"common.status" = "ACTIVE" AND ("ios.Supervised" = "true" OR "common.last_connected_at" > "now-2d")',
        )
        page.locator("#search-match-1").select_option("all")
        page.wait_for_function("() => document.querySelector('#search-text').value.includes('true\" AND')")
        settle(page)
        page.locator("#search-text").fill("NOT retired = true")
        page.wait_for_selector("#search-why-not")
        reason = page.locator("#search-why-not").inner_text()
        is_inert = page.locator("#search-rows .rules").get_attribute("inert") is not None
        settle(page)
        kept = page.locator("#search-field-1-1").input_value()
        page.locator("#search-text").fill("retired = false")
        page.wait_for_selector("#search-why-not", state="detached")
        after = page.locator("#search-rows select[name^=field]").evaluate_all("boxes => boxes.map(box => box.value)")
        settle(page)

    assert fields == ["common.status", "ios.Supervised", "common.last_connected_at"]
    assert ago == ("30", "d")
    assert "NOT cannot be shown as rows." in reason
    assert (is_inert, kept) == (True, "common.last_connected_at")
    assert after == ["common.retired"]


def test_a_mistake_is_shown_in_its_place(site: LiveServer) -> None:
    with signed_in(site, chromium.DESK) as page:
        opened(page, site)
        page.locator("#search-text").fill("retired = false AND serialnumbr = x")
        page.wait_for_selector("#search-mistake")
        says, marked = page.locator("#search-mistake").inner_text(), page.locator(".mistake mark").inner_text()
        page.get_by_role("button", name="Show the place").click()
        selected = page.evaluate("getSelection().toString()")

    assert says == 'Unknown field "serialnumbr". Did you mean "common.SerialNumber"?'
    assert marked == selected == "serialnumbr"


def test_a_search_is_built_and_saved_from_the_keyboard(site: LiveServer) -> None:
    with signed_in(site, chromium.DESK) as page:
        opened(page, site)
        page.wait_for_function("() => document.activeElement.id === 'search-field-0'")
        type_ahead(page, "Account Driven Device")
        page.wait_for_selector("#search-is-0")
        reach(page, "#search-add")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.activeElement.id === 'search-field-1'")
        type_ahead(page, "Serial")
        page.wait_for_selector("#search-is-1")
        reach(page, "#search-is-1")
        page.keyboard.type("C02")
        page.keyboard.press("Tab")
        page.wait_for_function("() => document.activeElement.getAttribute('aria-label') === 'Remove row'")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.activeElement.id === 'search-add'")
        wait_for_text(page, STORY)
        reach(page, "[hx-post='/admin/labels/from-search']")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open] #label_name")
        settle(page)
        page.keyboard.type("Account driven")
        page.keyboard.press("Enter")
        page.wait_for_selector(".note.success")
        says = page.locator(".note.success").inner_text()
        reach(page, "#search-text")
        page.keyboard.type(STORY)
        page.wait_for_selector("#search-is-0")
        settle(page)
        reach(page, "#search-form .button.primary")
        page.keyboard.press("Enter")
        page.wait_for_url("**search=*")
        found = shown(page)
        settle(page)

    assert says == "The label “Account driven” is saved."
    assert Label.objects.get(name="Account driven").criteria == f'{STORY} AND "common.retired" = "false"'
    assert found == ["Anna's iPhone"]


def test_criteria_of_a_label_are_built_in_the_same_way(site: LiveServer) -> None:
    with signed_in(site, chromium.DESK) as page:
        page.goto(f"{site.url}/admin/labels")
        page.get_by_role("button", name="Add Label").click()
        page.locator("#label_name").fill("Work accounts")
        expect(page.locator("#criteria-builder")).to_be_hidden()
        page.locator("#label_kind").select_option("filter")
        page.locator("#criteria-field-0").select_option("ios.enrollment_type")
        page.wait_for_selector("#criteria-is-0")
        settle(page)
        page.get_by_role("button", name="Save").click()
        page.wait_for_selector(".note.success")
        page.get_by_role("row", name="Work accounts").get_by_text("2", exact=True).wait_for()
        settle(page)

    assert Label.objects.get(name="Work accounts").criteria == '"ios.enrollment_type" = "adde"'


def test_without_scripts_the_expression_is_searched_for(site: LiveServer) -> None:
    with signed_in(site, chromium.DESK) as page:
        state = page.context.storage_state()
        browser = page.context.browser
        assert browser is not None
        plain = browser.new_context(java_script_enabled=False, storage_state=state).new_page()
        plain.goto(f"{site.url}/admin/devices?advanced=1")
        is_hidden = plain.locator("#search-rows").is_hidden()
        plain.locator("#search-text").fill(STORY)
        plain.get_by_role("button", name="Search", exact=True).click()
        plain.wait_for_url("**search=*")
        found = shown(plain)

    assert is_hidden
    assert found == ["Anna's iPhone"]


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_fits_a_phone_and_stands_out(site: LiveServer, language: str) -> None:
    with signed_in(site, chromium.PHONE, language) as page:
        opened(page, site, f"search={GROUPED}")
        settle(page)
        seen = in_both_schemes(page)
        page.goto(f"{site.url}/admin/devices?search=retired = false AND serialnumbr = x")
        seen += in_both_schemes(page)
        page.goto(f"{site.url}/admin/labels")
        settle(page)
        page.locator("[hx-get='/admin/labels/add']").click()
        page.locator("#label_kind").select_option("filter")
        page.locator("#criteria-field-0").select_option("common.registration_date")
        page.wait_for_selector("#criteria-how-0")
        inside = "[document.querySelector('#dialog').scrollWidth <= document.querySelector('#dialog').clientWidth]"
        seen += in_both_schemes(page)
        fits = page.evaluate(inside)
        settle(page)

    assert seen == [(390, [])] * 6
    assert fits == [True]
