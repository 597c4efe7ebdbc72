"""The story of the portal once more, without a mouse: from the sign-in to a retired device."""

from typing import Final

from playwright.sync_api import Page, expect

from enrollment.simulator.device import SimulatedDevice
from tests.epmm.processes import eventually
from tests.portal.hands import dialog, result, row, settled
from tests.portal.keys import choose, focused, press, reach, type_ahead, write
from tests.portal.product import HOST, PASSWORD, Product

NEW_PASSWORD: Final = "a long one of my own"
NAME: Final = "Emil Adler"
ADDE: Final = "Account Driven Device Enrollment"
SEARCH: Final = '"ios.account_driven_device_enrolled" = "true"'
LABEL: Final = "From the keyboard"


def play(page: Page, product: Product) -> None:
    sign_in(page)
    switch_on(page)
    choose_rights(page)
    assign(page)
    phone = enroll(product)
    search(page)
    write_and_keep(page)
    check_in(page, product, phone)
    lock(page, phone)
    sign_out(page, phone)
    retire(page, enroll(product))
    look_into_the_log(page)


def sign_in(page: Page) -> None:
    choose(page, page.locator("details.account"), "Sign out")
    page.wait_for_url("**/sign-in*")
    write(page.get_by_label("User ID"), "admin")
    write(page.get_by_label("Password"), NEW_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard")


def open_page(page: Page, tab: str, name: str = "") -> None:
    press(page.get_by_role("navigation", name="Main").get_by_role("link", name=tab, exact=True))
    if name:
        press(page.get_by_role("navigation", name=tab, exact=True).get_by_role("link", name=name, exact=True))


def switch_on(page: Page) -> None:
    open_page(page, "Settings")
    press(page.get_by_role("navigation", name="System Settings").get_by_role("link", name="MDM"))
    press(page.get_by_label(f"Enable {ADDE}"), "Space")
    page.keyboard.press("Space")
    press(page.get_by_role("button", name="Save"))
    expect(page.get_by_label(f"Enable {ADDE}")).to_be_checked()


def choose_rights(page: Page) -> None:
    """What is unticked goes over to the other list, and the focus on to the next."""
    open_page(page, "Policies & Configs")
    press(page.get_by_role("link", name="System - iOS MDM"))
    right = "512: Ask for restrictions"
    press(page.get_by_role("list", name="Selected").get_by_label(right), "Space")
    expect(page.get_by_role("list", name="Available").get_by_label(right)).to_be_visible()
    focused(page.get_by_label("1024: Ask for security information"))
    press(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("status").first).to_have_text("Saved.")
    expect(page.get_by_role("list", name="Available").get_by_role("checkbox")).to_have_count(1)


def act(page: Page, name: str) -> None:
    """On the person's row."""
    press(row(page, NAME).get_by_role("checkbox"), "Space")
    choose(page, page.locator("[data-actions]"), name)
    expect(dialog(page)).to_be_visible()


def assign(page: Page) -> None:
    """Given up with Escape first, which leads back to where it began."""
    open_page(page, "Devices & Users", "Users")
    act(page, "Assign Roles")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    focused(page.locator("[data-actions] > summary"))
    choose(page, page.locator("[data-actions]"), "Assign Roles")
    press(dialog(page).get_by_label("Allow Account Driven Apple Device Enrollment"), "Space")
    write(dialog(page).get_by_role("textbox", name="Managed Apple Account"), "emil@elsewhere.example")
    with page.expect_response("**/users/roles"):
        page.keyboard.press("Enter")
    settled(page)
    expect(dialog(page).get_by_role("alert")).to_contain_text("does not belong to an enrollment domain")
    write(dialog(page).get_by_role("textbox", name="Managed Apple Account"), f"emil@{HOST}")
    expect(dialog(page).locator("#role-preview code")).to_have_text(f"emil@{HOST}")
    settled(page)
    press(dialog(page).get_by_role("button", name="Save"))
    expect(page.get_by_role("status").first).to_have_text(f"The roles of {NAME} are saved.")


def enroll(product: Product) -> SimulatedDevice:
    phone = product.device("emil")
    phone.enroll(password=PASSWORD)
    phone.connect()
    return phone


def search(page: Page) -> None:
    """Found by rows, and looked at in the panel, which Escape closes."""
    open_page(page, "Devices & Users", "Devices")
    press(page.get_by_role("link", name="Advanced Search"))
    page.wait_for_url("**advanced=1")
    settled(page)
    field = page.get_by_label("Field", exact=True)
    expect(field.locator("option", has_text=f"{ADDE[:21]} Enrolled").first).to_be_attached()
    reach(field)
    type_ahead(page, "Account Driven Device")
    expect(page.get_by_label("Value", exact=True)).to_have_value("true")
    expect(page.get_by_text("1 device matches")).to_be_visible()
    press(page.get_by_role("button", name="Search", exact=True))
    page.wait_for_url("**search=*")
    name = row(page, NAME).get_by_role("link", name=NAME)
    press(name)
    expect(dialog(page)).to_contain_text("Account Driven Device Enrolled")
    page.keyboard.press("Escape")
    focused(name)


def write_and_keep(page: Page) -> None:
    """The same search as an expression, and as a label."""
    press(page.get_by_role("link", name="Clear"))
    page.wait_for_url("**advanced=1")
    settled(page)
    write(page.get_by_label("Search expression"), SEARCH)
    expect(page.get_by_label("Field", exact=True)).to_have_value("ios.account_driven_device_enrolled")
    settled(page)
    press(page.get_by_role("button", name="Search", exact=True))
    page.wait_for_url("**search=*")
    expect(row(page, NAME)).to_be_visible()
    press(page.get_by_role("button", name="Save to Label"))
    write(dialog(page).get_by_label("Name"), LABEL)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text(f"The label “{LABEL}” is saved.")
    open_page(page, "Devices & Users", "Labels")
    expect(row(page, LABEL)).to_contain_text("1")


def check_in(page: Page, product: Product, phone: SimulatedDevice) -> None:
    product.seen.clear()
    open_page(page, "Devices & Users", "Devices")
    act(page, "Force Device Check-In")
    press(dialog(page).get_by_role("button", name="Check in now"))
    leave(page, phone, "Sent")
    eventually(lambda: product.seen)
    phone.connect()


def lock(page: Page, phone: SimulatedDevice) -> None:
    act(page, "Lock")
    focused(dialog(page).get_by_label("Message"))
    page.keyboard.type("Lost. Please call.")
    press(dialog(page).get_by_role("button", name="Lock", exact=True))
    leave(page, phone)
    assert ("DeviceLock", "Acknowledged") in [(each.request_type, each.status) for each in phone.connect()]


def leave(page: Page, phone: SimulatedDevice, said: str = "Queued") -> None:
    """What came of it is told where the focus is, and Enter goes on."""
    expect(result(page, phone)).to_contain_text(said)
    focused(dialog(page).locator(".dialog-buttons .primary"))
    with page.expect_navigation():
        page.keyboard.press("Enter")


def sign_out(page: Page, phone: SimulatedDevice) -> None:
    """On the device, by its person: the row turns by itself, and is gone from the list that comes next."""
    phone.check_out()
    expect(row(page, NAME)).to_contain_text("Retired: user removed management")
    open_page(page, "Devices & Users", "Devices")
    expect(page.get_by_role("heading", name="Devices", exact=True)).to_be_visible()
    expect(row(page, NAME)).to_have_count(0)


def retire(page: Page, phone: SimulatedDevice) -> None:
    open_page(page, "Devices & Users", "Devices")
    act(page, "Retire")
    press(dialog(page).get_by_role("button", name="Retire"))
    leave(page, phone)
    phone.connect()
    assert not phone.enrolled
    expect(row(page, NAME)).to_contain_text("Retired")


def look_into_the_log(page: Page) -> None:
    """Of whoever was refused before: where it stopped, and what to do about it."""
    open_page(page, "Logs", "Enrollment log")
    press(row(page, f"dora@{HOST}").get_by_role("link"))
    expect(page.get_by_role("main")).to_contain_text("Grant it under Users > Actions > Assign Roles")
    reach(page.get_by_role("link", name="Enrollment log").last)
