"""The story of the portal, click by click: from the first sign-in to a retired device, on the whole product."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused
from tests.epmm.processes import eventually
from tests.migrated import DATABASE_URL, new_database
from tests.portal import keyboard_story
from tests.portal.hands import (
    act,
    dialog,
    fact,
    leave,
    open_page,
    polls,
    reload_until,
    result,
    row,
    settled,
    tick,
    type_anew,
    unloaded,
)
from tests.portal.product import HOST, PASSWORD, Product, browser, opened, watched

pytestmark = [pytest.mark.service("chromium", "database")]

NEW_PASSWORD: Final = "a long one of my own"
PEOPLE: Final[list[dict[str, Any]]] = [
    {"user_id": name.lower(), "first_name": name, "last_name": "Adler"}
    for name in ("Anna", "Ben", "Carl", "Dora", "Emil")
]
SEARCH: Final = '"ios.account_driven_device_enrolled" = "true"'
ADDE: Final = "Allow Account Driven Apple Device Enrollment"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with opened(tmp_path, PEOPLE, new_database() if DATABASE_URL else "") as product:
        yield product


def test_from_sign_in_to_retired(product: Product) -> None:
    with browser(product) as context, watched(context, product.url) as page:
        sign_in(page, product)
        switch_on(page)
        assign_to_one(page)
        assign_to_more(page)
        phone, mac = enroll(page, product)
        look_at(page, phone)
        search = search_and_keep(page)
        check_in(page, product, phone)
        lock(page, phone)
        sign_out(page, mac, search)
        retire(page, phone)
        refuse(page, product)
        if not DATABASE_URL:  # which would be asked for nothing new
            keyboard_story.play(page, product)


def sign_in(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/admin/")
    page.locator("#id_user_id:focus").fill("admin")
    page.get_by_label("Password").fill(product.one_time_password)
    page.get_by_role("button", name="Sign in").click()
    for name in ("New password", "The same again"):
        page.get_by_label(name).fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_role("heading", name="To your first enrolled device")).to_be_visible()


def switch_on(page: Page) -> None:
    open_page(page, "Settings")
    page.get_by_role("navigation", name="System Settings").get_by_role("link", name="MDM").click()
    page.get_by_label("Enable Account Driven Device Enrollment").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("aved")
    expect(page.get_by_label("Enable Account Driven Device Enrollment")).to_be_checked()


def assign_to_one(page: Page) -> None:
    """A Managed Apple Account of somewhere else is refused, and what would be accepted is named."""
    open_page(page, "Devices & Users", "Users")
    tick(page, "Anna Adler")
    act(page, "Assign Roles")
    dialog(page).get_by_label(ADDE).check()
    account = dialog(page).get_by_role("textbox", name="Managed Apple Account")
    account.fill("anna@elsewhere.example")
    dialog(page).get_by_role("button", name="Save").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text(
        f'"anna@elsewhere.example" does not belong to an enrollment domain of this server ({HOST}).'
    )
    type_anew(account, f"anna@{HOST}")
    expect(dialog(page).locator("#role-preview code")).to_have_text(f"anna@{HOST}")
    dialog(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("The roles of Anna Adler are saved.")


def assign_to_more(page: Page) -> None:
    """By a pattern, with what it makes of each person, before and afterwards."""
    for name in ("Ben Adler", "Carl Adler"):
        tick(page, name)
    act(page, "Assign Roles")
    dialog(page).get_by_label(ADDE).check()
    type_anew(dialog(page).get_by_label("Pattern"), "{user_id}@elsewhere.example")
    expect(dialog(page).locator("#role-preview")).to_contain_text("Cannot be saved like this: 2.")
    type_anew(dialog(page).get_by_label("Pattern"), f"{{user_id}}@{HOST}")
    expect(dialog(page).locator("#role-preview code")).to_have_text([f"ben@{HOST}", f"carl@{HOST}"])
    dialog(page).get_by_role("button", name="Save").click()
    expect(dialog(page)).to_contain_text("Roles saved for people: 2")
    expect(dialog(page).locator("tbody tr")).to_have_text([f"Ben Adler ben ben@{HOST}", f"Carl Adler carl carl@{HOST}"])
    leave(page)


def enroll(page: Page, product: Product) -> tuple[SimulatedDevice, SimulatedDevice]:
    """The row follows the phone while the administrator looks on, and the page asks for nothing while nobody does."""
    mac, phone = product.device("ben", Family.MAC), product.device("anna")
    mac.enroll(password=PASSWORD)
    phone.discover()
    phone.request_challenge()
    phone.sign_in(password=PASSWORD)
    open_page(page, "Devices & Users", "Devices")
    expect(row(page, "Anna Adler")).to_contain_text("Enrollment verified")
    assert not polls(page, is_hidden=True)
    assert polls(page, is_hidden=False)
    with unloaded(page):
        phone.fetch_profile()
        phone.sign_in_with_apple()
        phone.get_identity()
        phone.authenticate()
        phone.token_update()
        expect(row(page, "Anna Adler").get_by_text("Active")).to_be_visible()
    phone.connect()
    return phone, mac


def look_at(page: Page, phone: SimulatedDevice) -> None:
    """All that there is to see about one device, as soon as the worker has read what it said."""
    row(page, "Anna Adler").get_by_role("link", name="Anna Adler").click()
    reload_until(page, lambda: page.get_by_text(phone.hardware.model.os_version).count() > 0)
    for name, value in {
        "Account Driven Device Enrolled": "true",
        "Apple User Enrolled Device": "false",
        "Managed Apple Account": f"anna@{HOST}",
        "UDID": phone.hardware.udid,
    }.items():
        expect(fact(page, name)).to_have_text(value)
    for tab, shown in {
        "Enrollment": "Device can be reached (TokenUpdate)",
        "Commands": "SecurityInfo",
        "Certificates": "SHA-256",
        "Apps": "com.",
        "Configurations": "",
    }.items():
        page.locator(".subtabs").get_by_role("link", name=tab).click()
        expect(page.locator(".subtabs [aria-current=page]")).to_have_text(tab)
        expect(page.get_by_role("main")).to_contain_text(shown)


def search_and_keep(page: Page) -> str:
    """By rows, by the expression that they write, and as a label; the address of what was found."""
    open_page(page, "Devices & Users", "Devices")
    page.get_by_role("link", name="Advanced Search").click()
    page.get_by_label("Field", exact=True).select_option("Account Driven Device Enrolled")
    expect(page.get_by_label("Operator", exact=True).last).to_have_value("=")
    expect(page.get_by_label("Value", exact=True)).to_have_value("true")
    text = page.get_by_label("Search expression")
    expect(text).to_have_value(SEARCH)
    expect(page.get_by_label("Exclude retired devices from search results")).to_be_checked()
    expect(page.get_by_text("2 devices match")).to_be_visible()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**search=*")
    expect(page.locator("#rows tbody tr")).to_have_count(2)

    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**advanced=1")
    settled(page)
    type_anew(text, SEARCH)
    expect(page.get_by_label("Field", exact=True)).to_have_value("ios.account_driven_device_enrolled")
    settled(page)
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**search=*")
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    found = page.url

    page.get_by_role("button", name="Save to Label").click()
    dialog(page).get_by_label("Name").fill("Enrolled by account")
    dialog(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("The label “Enrolled by account” is saved.")
    open_page(page, "Devices & Users", "Labels")
    expect(row(page, "Enrolled by account")).to_contain_text("2")
    return found


def check_in(page: Page, product: Product, phone: SimulatedDevice) -> None:
    """Apple's push service is asked to wake the phone, and it comes."""
    product.seen.clear()
    open_page(page, "Devices & Users", "Devices")
    tick(page, "Anna Adler")
    act(page, "Force Device Check-In")
    dialog(page).get_by_role("button", name="Check in now").click()
    expect(result(page, phone)).to_contain_text("Sent")
    leave(page)
    eventually(lambda: product.seen)
    assert {seen.answer.status for seen in product.seen} == {200}
    phone.connect()


def lock(page: Page, phone: SimulatedDevice) -> None:
    tick(page, "Anna Adler")
    act(page, "Lock")
    dialog(page).get_by_label("Message").fill("Lost. Please call.")
    dialog(page).get_by_role("button", name="Lock", exact=True).click()
    expect(result(page, phone)).to_contain_text("Queued")
    leave(page)
    assert ("DeviceLock", "Acknowledged") in [(each.request_type, each.status) for each in phone.connect()]
    row(page, "Anna Adler").get_by_role("link", name="Anna Adler").click()
    page.locator(".subtabs").get_by_role("link", name="Commands").click()
    locked = page.locator("tr").filter(has_text="DeviceLock")
    reload_until(page, lambda: "Acknowledged" in (locked.text_content() or ""))


def sign_out(page: Page, mac: SimulatedDevice, search: str) -> None:
    """The row turns by itself and says why; whoever searches again finds it no more."""
    page.goto(search)
    with unloaded(page):
        mac.check_out()
        expect(row(page, "Ben Adler")).to_contain_text("Retired: user removed management")
    page.reload()
    expect(row(page, "Anna Adler")).to_be_visible()
    expect(row(page, "Ben Adler")).to_have_count(0)


def retire(page: Page, phone: SimulatedDevice) -> None:
    tick(page, "Anna Adler")
    act(page, "Retire")
    dialog(page).get_by_role("button", name="Retire").click()
    expect(result(page, phone)).to_contain_text("Queued")
    leave(page)
    expect(row(page, "Anna Adler")).to_contain_text("Retire pending")
    phone.connect()
    assert not phone.enrolled
    expect(row(page, "Anna Adler")).to_contain_text("Retired")


def refuse(page: Page, product: Product) -> None:
    """Whoever tries without the role: the log says where it stopped, why, and what to do."""
    with pytest.raises(DeviceRefused, match="E-303"):
        product.device("dora").enroll(password=PASSWORD)
    open_page(page, "Logs", "Enrollment log")
    attempt = row(page, f"dora@{HOST}")
    expect(attempt).to_contain_text("E-303")
    attempt.get_by_role("link").click()
    expect(page.get_by_role("main")).to_contain_text("Grant it under Users > Actions > Assign Roles")
    expect(page.locator("tr").filter(has_text="E-303")).to_contain_text("Refused")
