"""The way through the guide, with a picture at each place that it shows."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, expect

from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused
from tests import smtp
from tests.enrollment.pages import chromium
from tests.portal.hands import act, dialog, leave, open_page, reload_until, row, settled, tick, type_anew
from tests.portal.product import HOST, PASSWORD, Product

PEOPLE: Final[list[dict[str, Any]]] = [
    {"user_id": "amelie", "first_name": "Amelie", "last_name": "Abel", "email": "amelie@example.com"},
    {"user_id": "bruno", "first_name": "Bruno", "last_name": "Abel", "email": "bruno@example.com"},
    {"user_id": "carla", "first_name": "Carla", "last_name": "Abel", "email": "carla@example.com"},
    {"user_id": "dario", "first_name": "Dario", "last_name": "Abel", "email": "dario@example.com"},
]
# As when all that match are more than a request has time for.
RUNS: Final = """
from devices.models import Device
from devices.services import action_runs
from devices.services.actions import BY_KEY, Order
order = Order(values={}, actor="admin")
action_runs.begin(BY_KEY["check-in"], order, chosen=Device.objects.all(), confirmed=None, asked="", language="en")
"""
# A month before this day, for the dashboard.
PAST: Final = """
import random
from datetime import timedelta
from django.utils import timezone
from enrollment.models import Attempt
DEVICES = [("anna", "iPhone17,1", "26.1"), ("ben", "iPad14,8", "26.1"), ("clara", "Mac16,1", "15.6")]
ENDS = [("active", "")] * 9 + [("failed", "E-201"), ("failed", "E-303"), ("abandoned", "")]
dice, now = random.Random(7), timezone.now()
for name, product, version in DEVICES * 35:
    state, code = dice.choice(ENDS)
    at = now - timedelta(minutes=dice.randrange(120, 60 * 24 * 29))
    Attempt.objects.create(
        reference=f"{dice.getrandbits(128):032x}", opened_at=at, closed_at=at + timedelta(minutes=2),
        state=state, last_code=code, address="203.0.113.7", identifier=f"{name}@HOST", domain="HOST",
        product=product, os_version=version, kind="adde",
    )
"""
NEW_PASSWORD: Final = "a long one of my own"  # noqa: S105 - of an installation that lives for a minute
ADDE: Final = "Allow Account Driven Apple Device Enrollment"
Take = Callable[..., None]  # by its name, of another page than the administrator's if it is given


def walk(page: Page, product: Product, take: Take) -> None:
    for chapter in (
        begin, settings, people, enroll, search, device, actions, attempts, services, invitations, logs,
        administrators, person, end,
    ):  # fmt: skip
        chapter(page, product, take)


def begin(page: Page, product: Product, take: Take) -> None:
    page.goto(f"{product.url}/admin/")
    page.get_by_label("User ID").fill("admin")
    take("portal-sign-in")
    page.get_by_label("Password").fill(product.one_time_password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/password*")
    for field in page.locator("input[autocomplete=new-password]").all():
        field.fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save and continue").click()
    page.wait_for_url("**/dashboard")
    take("first-run")
    product.python("from devices.services import seeding; seeding.seed(devices=240, users=60)")
    product.python(PAST.replace("HOST", HOST))


def settings(page: Page, product: Product, take: Take) -> None:
    page.goto(f"{product.url}/admin/settings/enterprise")
    page.get_by_label("Enterprise Name").fill("Example Corp")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    page.goto(f"{product.url}/admin/settings/ios-mdm")
    page.get_by_label("Enable Account Driven Device Enrollment").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    take("mdm-settings")
    page.goto(f"{product.url}/admin/settings/ios-mdm/certificate")
    take("mdm-certificate")
    page.goto(f"{product.url}/admin/settings/domains")
    page.get_by_label("Add a domain").fill("example.com")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Show server rules").last.click()
    expect(dialog(page)).to_be_visible()
    take("domains")


def people(page: Page, product: Product, take: Take) -> None:
    page.goto(f"{product.url}/admin/users?q=abel")
    tick(page, "Amelie Abel")
    act(page, "Assign Roles")
    dialog(page).get_by_label(ADDE).check()
    type_anew(dialog(page).get_by_role("textbox", name="Managed Apple Account"), "amelie@elsewhere.example")
    expect(dialog(page).locator("#role-preview")).to_contain_text("does not belong")
    dialog(page).get_by_role("button", name="Save").scroll_into_view_if_needed()
    take("assign-roles")
    type_anew(dialog(page).get_by_role("textbox", name="Managed Apple Account"), f"amelie@{HOST}")
    expect(dialog(page).locator("#role-preview code")).to_have_text(f"amelie@{HOST}")
    dialog(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("saved")
    for name in ("Bruno Abel", "Carla Abel"):
        tick(page, name)
    take("users")
    act(page, "Assign Roles")
    dialog(page).get_by_label(ADDE).check()
    expect(dialog(page).locator("#role-preview code")).to_have_count(2)
    dialog(page).get_by_role("button", name="Save").click()
    expect(dialog(page)).to_contain_text("Roles saved for people: 2")
    take("assign-roles-results")
    leave(page)


def enroll(page: Page, product: Product, take: Take) -> None:
    phone, mac, started = product.device("amelie"), product.device("bruno", Family.MAC), product.device("carla")
    for device in (phone, mac):
        device.enroll(password=PASSWORD)
        device.connect()
    started.discover()
    started.request_challenge()
    started.sign_in(password=PASSWORD)
    page.goto(f"{product.url}/admin/devices")
    tick(page, "Bruno Abel")
    page.locator("[data-actions] > summary").click()
    take("devices")


def search(page: Page, product: Product, take: Take) -> None:
    page.goto(f"{product.url}/admin/devices?advanced=1")
    settled(page)
    page.get_by_label("Field", exact=True).select_option("Account Driven Device Enrolled")
    expect(page.get_by_label("Value", exact=True)).to_have_value("true")
    expect(page.get_by_text("devices match")).to_be_visible()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**search=*")
    expect(page.get_by_text("devices match")).to_be_visible()
    take("advanced-search")
    page.get_by_role("button", name="Save to Label").click()
    dialog(page).get_by_label("Name").fill("Enrolled by account")
    take("save-to-label")
    dialog(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("saved")
    open_page(page, "Devices & Users", "Labels")
    expect(row(page, "Enrolled by account")).to_contain_text("1")
    take("labels")


def device(page: Page, product: Product, take: Take) -> None:
    page.goto(f"{product.url}/admin/devices?q=amelie")
    address = row(page, "Amelie Abel").get_by_role("link", name="Amelie Abel").get_attribute("href")
    page.goto(f"{product.url}{address}")
    reload_until(page, lambda: page.get_by_text("Serial number").count() > 1)
    take("device-details")
    open_tab(page, "Enrollment")
    take("device-enrollment")
    open_tab(page, "Commands")
    take("device-commands")


def open_tab(page: Page, name: str) -> None:
    page.locator(".subtabs").get_by_role("link", name=name).click()
    expect(page.locator(".subtabs [aria-current=page]")).to_have_text(name)


def actions(page: Page, product: Product, take: Take) -> None:
    page.goto(f"{product.url}/admin/devices?q=abel")
    for name in ("Amelie Abel", "Bruno Abel", "Carla Abel"):
        tick(page, name)
    act(page, "Lock")
    dialog(page).get_by_label("Message").fill("Lost. Please call the service desk.")
    take("lock")
    dialog(page).get_by_role("button", name="Lock", exact=True).click()
    expect(dialog(page).locator("tr").filter(has_text="Queued").first).to_be_visible()
    take("lock-results")
    leave(page)
    tick(page, "Amelie Abel")
    act(page, "Wipe")
    take("wipe")
    page.keyboard.press("Escape")


def attempts(page: Page, product: Product, take: Take) -> None:
    with contextlib.suppress(DeviceRefused):
        product.device("dario").enroll(password=PASSWORD)
    open_page(page, "Logs", "Enrollment log")
    take("enrollment-log")
    row(page, f"dario@{HOST}").get_by_role("link").click()
    take("enrollment-attempt")


def services(page: Page, product: Product, take: Take) -> None:
    """No directory and no provider is asked: the forms are shown as they are filled in."""
    open_page(page, "Services", "LDAP")
    page.get_by_role("link", name="Add directory").first.click()
    page.get_by_label("Name", exact=True).fill("Head office")
    page.get_by_label("Directory URL").fill("ldaps://dc1.example.com")
    page.get_by_label("Directory Failover URL").fill("ldaps://dc2.example.com")
    page.get_by_label("Directory UserID").fill("epmm@example.com")
    page.get_by_label("Directory Password").fill("no password")
    page.get_by_role("heading", name="Add directory").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, 0)")
    take("ldap")
    page.goto(f"{product.url}/admin/services/providers/add")
    page.get_by_label("Name", exact=True).fill("Example Login")
    page.get_by_label("Issuer").fill("https://login.example.com")
    page.get_by_label("Client ID").fill("0b6f7a52")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Register this server there")).to_be_visible()
    take("identity-provider")
    open_page(page, "Services", "Certificates")
    take("certificates")
    webhook(page, take)


def webhook(page: Page, take: Take) -> None:
    """Its secret, shown once, is in no picture."""
    open_page(page, "Services", "Webhooks")
    page.get_by_role("link", name="Add", exact=True).click()
    page.get_by_label("Name", exact=True).fill("Ticket system")
    page.get_by_label("Address", exact=True).fill("https://hooks.example.com/epmm")
    for kind in ("Device enrolled", "Device checked out", "Enrollment attempt failed"):
        page.get_by_label(kind).check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Ticket system").first).to_be_visible()
    open_page(page, "Services", "Webhooks")
    row(page, "Ticket system").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Secret")).to_be_visible()
    take("webhook")


def invitations(page: Page, product: Product, take: Take) -> None:
    with tempfile.TemporaryDirectory() as directory, smtp.open_server(Path(directory)) as letters:
        mail(page, product, take, letters.port)
        page.goto(f"{product.url}/admin/users?q=abel")
        invited = ("Carla Abel", "Dario Abel")
        for name in invited:
            tick(page, name)
        act(page, "Send Invitation")
        dialog(page).get_by_role("button", name="Preview").click()
        expect(dialog(page).locator("#invite-preview")).to_contain_text("Carla")
        dialog(page).locator("#invite-preview").scroll_into_view_if_needed()
        take("send-invitation")
        dialog(page).get_by_role("button", name="Send", exact=True).click()
        page.wait_for_url("**/invitations*")
        reload_until(page, lambda: page.get_by_text("Sent", exact=True).count() > len(invited))
        take("invitations")
    open_page(page, "Services", "Overview")
    take("services")


def mail(page: Page, product: Product, take: Take, port: int) -> None:
    page.goto(f"{product.url}/admin/settings/mail")
    page.get_by_label("Mail server").fill("127.0.0.1")
    page.get_by_label("Port").fill(str(port))
    page.get_by_label("Encryption").select_option("none")
    page.get_by_label("Sender").fill("epmm@example.com")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    page.get_by_label("Mail server").evaluate("field => field.value = 'mail.example.com'")
    page.get_by_label("Port").evaluate("field => field.value = 587")
    page.get_by_label("Encryption").evaluate("field => field.value = 'starttls'")
    take("mail-settings")


def logs(page: Page, product: Product, take: Take) -> None:
    open_page(page, "Logs", "Audit Logs")
    take("audit-logs")
    open_page(page, "Logs", "MDM command queue")
    take("command-queue")
    product.python(RUNS)
    open_page(page, "Logs", "Actions")
    row(page, "Force Device Check-In").get_by_role("link").first.click()
    reload_until(page, lambda: page.locator("#progress .badge", has_text="Done").count() > 0)
    take("action-run")


def administrators(page: Page, product: Product, take: Take) -> None:
    page.goto(f"{product.url}/admin/users?q=dario")
    tick(page, "Dario Abel")
    act(page, "Assign administrator roles")
    expect(dialog(page)).to_be_visible()
    take("administrator-roles")
    page.goto(f"{product.url}/admin/account")
    take("account")


def person(page: Page, product: Product, take: Take) -> None:
    """The user portal, on a phone."""
    phone = page.context.new_page()
    phone.set_viewport_size(chromium.PHONE)
    phone.goto(f"{product.url}/my/sign-in")
    phone.get_by_label("User ID").fill("amelie")
    phone.get_by_label("Password").fill(PASSWORD)
    phone.get_by_role("button", name="Sign in").click()
    phone.wait_for_url(f"{product.url}/")
    take("user-portal", phone)
    phone.close()


def end(page: Page, product: Product, take: Take) -> None:
    product.stop()  # a process remembers for a minute what it has counted for the dashboard
    product.start()
    page.goto(f"{product.url}/admin/dashboard")
    take("dashboard")
