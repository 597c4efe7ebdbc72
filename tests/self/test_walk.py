"""All pages of the user portal in a browser: what axe says, whether a phone and a keyboard will do, and one story."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2
import pytest
from playwright.sync_api import Page, Route, ViewportSize
from pytest_django.live_server_helper import LiveServer

from devices.models import Device
from devices.services.self_actions import OWN
from epmm.models import AuditEntry
from tests.enrollment.pages import chromium
from tests.enrollment.pages.axe import COLORS, bring, found
from tests.flows.house import PASSWORD, opened, person, record_of, switch
from tests.portal.test_walk import OUT_OF_REACH, go_round
from tests.portal.window import watched
from tests.providers import pretender as far
from tests.providers.pretender import Pretender
from tests.self.conftest import EVERYTHING
from users import self_permissions
from users.models import Directory, DirectoryEntry, Role, User

pytestmark = [pytest.mark.service("chromium"), pytest.mark.once, pytest.mark.django_db(transaction=True)]

POCKET: Final[ViewportSize] = {"width": 375, "height": 667}
OPEN: Final = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
# Inside of running text a link may be as small as the text.
SMALL_TARGETS: Final = """() => [...document.querySelectorAll("a[href], button, input, select, summary")]
  .filter((element) => element.checkVisibility() && !element.matches("[type=hidden]"))
  .filter((element) => element.getBoundingClientRect().height < 24)
  .filter((element) => !element.closest("p.last, li > span"))
  .map((element) => element.outerHTML.slice(0, 120))"""
TO_THE_PROVIDER: Final = re.compile(r"/my/(sign-in/provider/[0-9]+|confirm)(\?|$)")
PROFILE: Final = re.compile(r"mobileconfig|x-apple-aspen", re.IGNORECASE)
# Where nothing is to be seen, or only on the way to something else; the stories open them.
BEFORE: Final = frozenset(
    {
        *("texts", "sign-in-code", "sign-in-password", "sign-out", "confirm", "invitation"),
        *("sign-in-provider", "sign-in-provider-callback"),
    }
)


@pytest.fixture
def url(live_server: LiveServer, settings: Any) -> str:
    """Without TLS, for which these are made: a browser lets plain cookies through to itself alone."""
    for name, value in {"SESSION_COOKIE": "session", "CSRF_COOKIE": "csrf", "PERSON_COOKIE": "person"}.items():
        setattr(settings, f"{name}_NAME", value)
        setattr(settings, f"{name}_SECURE", False)
    with opened() as house:
        person("anna", roles=(*EVERYTHING, Role.ADDE))
        switch("registration.requirement", "password")
        switch("registration.privacy_page", "on")
        phone, former = house.enrolled(), house.enrolled()
        for device in (phone, former):
            device.connect()
        house.work()
        former.check_out()
        house.work()
        assert record_of(phone).device_name
    switch("registration.requirement", "password_and_pin")
    return live_server.url


@pytest.fixture
def places(url: str) -> dict[str, list[str]]:
    """By the names of the addresses; every page is walked from its first day."""
    device, former = Device.objects.get(status="ACTIVE"), Device.objects.get(status="RETIRED")
    where = f"/my/devices/{device.uuid}"
    found: dict[str, list[str]] = {
        "home": ["/"],
        "go": ["/go"],
        "help": ["/help/enroll"],
        "help-family": [f"/help/enroll/{slug}" for slug in ("iphone", "ipad", "mac", "vision")],
        "privacy": ["/help/privacy", "/help/privacy?device=mac&kind=adde"],
        "sign-in": ["/my/sign-in"],
        "password": ["/my/password"],
        "pin": ["/my/pin"],
        "device": [where, f"/my/devices/{former.uuid}"],
    } | {f"device-{own.action.key}": [f"{where}/{own.action.key}"] for own in OWN}
    assert found.keys() == self_permissions.NEEDED.keys() - BEFORE
    return found


def sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/my/sign-in")
    page.locator("#id_user_id:focus").fill("anna")
    page.locator("#id_password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")


@contextmanager
def window(url: str, **options: Any) -> Iterator[Page]:
    with chromium.start() as browser, watched(browser.new_context(**options), url) as page:
        sign_in(page, url)
        yield page


def everything(places: dict[str, list[str]]) -> list[str]:
    return [address for addresses in places.values() for address in addresses]


def test_axe_finds_nothing(url: str, places: dict[str, list[str]]) -> None:
    seen = {}
    with window(url) as page:
        bring(page.context)
        for address in everything(places):
            page.set_viewport_size(chromium.DESK)
            page.emulate_media(color_scheme="light")
            page.goto(url + address)
            page.evaluate(OPEN)
            lines = found(page)
            page.set_viewport_size(POCKET)
            page.emulate_media(color_scheme="dark")
            seen[address] = lines + found(page, rules=COLORS)

    assert {address: lines for address, lines in seen.items() if lines} == {}


def test_axe_finds_nothing_for_strangers_and_on_what_was_typed_wrong(url: str) -> None:
    seen = {}
    with chromium.start() as browser, browser.new_context(viewport=POCKET) as context:
        bring(context)
        page = context.new_page()
        for address in ("/", "/go", "/my/sign-in", "/help/enroll", "/help/enroll/mac", "/help/privacy"):
            page.goto(url + address)
            seen[address] = found(page)
        for address in ("/go", "/my/sign-in"):
            page.goto(url + address)
            page.locator("#id_user_id").fill("anna")
            with page.expect_navigation():
                page.locator("main form button").click()
            seen[f"wrong {address}"] = found(page)

    assert {address: lines for address, lines in seen.items() if lines} == {}


def test_a_phone_and_a_keyboard_will_do(url: str, places: dict[str, list[str]]) -> None:
    """In dark and in German, which has the longest words."""
    wide, unreached, unmarked, small = {}, {}, {}, {}
    with window(url, viewport=POCKET, color_scheme="dark", locale="de") as page:
        for address in everything(places):
            page.goto(url + address)
            assert page.evaluate("document.documentElement.lang") == "de"
            page.evaluate(OPEN)
            wide[address] = page.evaluate("document.documentElement.scrollWidth")
            small[address] = page.evaluate(SMALL_TARGETS)
            go_round(page)
            unreached[address] = page.evaluate(OUT_OF_REACH)
            unmarked[address] = page.evaluate("window.unmarked")

    assert {name: width for name, width in wide.items() if width != POCKET["width"]} == {}
    assert {name: lines for name, lines in unreached.items() if lines} == {}
    assert {name: lines for name, lines in unmarked.items() if lines} == {}
    assert {name: lines for name, lines in small.items() if lines} == {}


def test_a_person_locks_the_phone_and_asks_for_a_pin_and_leaves(url: str) -> None:
    with window(url, viewport=POCKET) as page:
        page.get_by_role("link", name="Active").click()
        page.get_by_role("link", name="Lock", exact=True).click()
        page.get_by_label("Message").fill("Please call Anna")
        page.get_by_role("button", name="Lock").click()
        page.get_by_text("the device locks as soon as it is reached").wait_for()
        page.get_by_role("link", name="Devices", exact=True).click()
        page.get_by_role("link", name="Ask for a PIN").click()
        page.get_by_role("button", name="Ask for a PIN").click()
        digits = page.locator(".digits code").inner_text()
        page.get_by_role("link", name="Devices", exact=True).click()
        assert digits not in page.content()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign in to see your devices").wait_for()
        page.go_back()  # nothing of it is kept
        assert "Your Devices" not in page.content()

    actors = AuditEntry.objects.filter(action__in=["command.queued", "pin.issued"]).order_by("-id")[:2]
    assert {entry.actor for entry in actors} == {"anna"}


def test_web_registration_on_a_phone_ends_with_the_address_to_type(url: str) -> None:
    """Over the privacy page; nothing is downloaded on the way."""
    switch("registration.requirement", "password")
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
    asked: list[str] = []
    with chromium.start() as browser, watched(browser.new_context(viewport=POCKET, user_agent=agent), url) as page:
        page.on("response", lambda response: asked.append(f"{response.url} {response.headers.get('content-type')}"))
        page.goto(f"{url}/go")
        page.get_by_label("User ID or work account").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("heading", name="Your Privacy Matters").wait_for()
        page.get_by_role("button", name="Accept").click()
        page.get_by_role("heading", name="How to enroll your iPhone").wait_for()
        assert page.locator(".address code").inner_text() == "anna@mdm.example.test"

    assert asked
    assert not any(PROFILE.search(each) for each in asked)


def test_a_person_of_a_provider_on_a_phone(url: str, settings: Any) -> None:
    """In, once more before a wipe, and out; each page as wide as the phone, and axe finds nothing."""
    settings.PUBLIC_URL = url
    wide, seen = {}, {}
    far.row(name="Corp Login", directory=directory_of("anna"))
    switch("registration.requirement", "identity_provider")
    where = f"{url}/my/devices/{Device.objects.get(status='ACTIVE').uuid}/wipe"
    with (
        far.in_place() as pretender,
        chromium.start() as browser,
        browser.new_context(viewport=POCKET, locale="de", color_scheme="dark") as context,
    ):
        bring(context)
        page = context.new_page()
        context.route(f"{far.ISSUER}/**", lambda route: answer(route, pretender))
        context.route(TO_THE_PROVIDER, lambda route: lead(route, route.fetch(max_redirects=0).headers["location"]))

        def look(name: str) -> None:
            page.wait_for_load_state()
            seen[name] = found(page)
            wide[name] = page.evaluate("document.documentElement.scrollWidth")

        def at_the_provider() -> None:
            page.locator("[name=password]").fill(far.PASSWORD)
            page.get_by_role("button").click()

        page.goto(f"{url}/my/sign-in")
        look("sign-in")
        page.get_by_role("link", name="Corp Login").click()
        at_the_provider()
        page.wait_for_url(f"{url}/")
        page.goto(where)
        look("once more")
        page.get_by_role("link", name="Corp Login").click()
        at_the_provider()
        page.wait_for_url(where)
        look("wipe")
        assert page.locator("[name=typed]").is_visible()
        page.locator("nav button").click()
        page.wait_for_url(f"{far.ISSUER}/**")
        page.goto(f"{url}/go")
        look("go")
        page.get_by_role("link", name="Corp Login").click()
        at_the_provider()
        page.wait_for_url(f"{url}/go")
        look("text")

    assert {name: width for name, width in wide.items() if width != POCKET["width"]} == {}
    assert {name: lines for name, lines in seen.items() if lines} == {}


def directory_of(user_id: str) -> Directory:
    """Which this person comes from."""
    directory = Directory.objects.create(name="AD")
    user = User.objects.get(user_id=user_id)
    User.objects.filter(pk=user.pk).update(source=User.Source.LDAP)
    DirectoryEntry.objects.create(user=user, directory=directory, external_id="guid")
    return directory


def answer(route: Route, pretender: Pretender) -> None:
    """The provider's."""
    asked = route.request
    request = httpx2.Request(asked.method, asked.url, content=(asked.post_data or "").encode())
    given = pretender.handle_request(request)
    if to := given.headers.get("Location"):
        lead(route, to)
    else:
        route.fulfill(status=200, content_type="text/html", body=given.text)


def lead(route: Route, to: str) -> None:
    """By a page, as a redirect would: of those a browser follows none that is made up, nor to where nobody is."""
    body = f"<script>location.replace({json.dumps(to)})</script>"
    route.fulfill(status=200, content_type="text/html", body=body)
