"""The portal in a real browser: signed in, roles assigned from the keyboard, nothing to complain about."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from tests.enrollment.pages import chromium
from tests.enrollment.pages.test_browser import SCHEMES, WEAK_TEXT
from tests.portal.conftest import PASSWORD, browser, make_administrator
from users.models import User
from users.services import people
from users.services.people import NewPerson

pytestmark = [pytest.mark.service("chromium"), pytest.mark.once, pytest.mark.django_db(transaction=True)]

HOST: Final = "https://mdm.example.test:8443"


@contextmanager
def signed_in(site: LiveServer, viewport: ViewportSize, language: str = "en") -> Iterator[Page]:
    """Fails when the browser has anything to complain about, or asks anybody but us."""
    complaints: list[str] = []
    asked: set[str] = set()
    client = browser()
    client.post("/admin/sign-in", {"user_id": "admin", "password": PASSWORD})
    session = client.cookies["session"].value
    with chromium.start() as chrome:
        context = chrome.new_context(viewport=viewport, locale=language)
        context.add_cookies([{"name": "session", "value": session, "url": site.url}])
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
        yield page
    assert complaints == []
    assert asked <= {site.url}


@pytest.fixture
def site(live_server: LiveServer, settings: object) -> LiveServer:
    """Without TLS, for which these two are made: a browser lets plain cookies through to itself alone."""
    for name, value in {"SESSION_COOKIE": "session", "CSRF_COOKIE": "csrf"}.items():
        setattr(settings, f"{name}_NAME", value)
        setattr(settings, f"{name}_SECURE", False)
    make_administrator()
    for name in ("anna", "ben"):
        people.create(NewPerson(user_id=name), actor="test")
    return live_server


def reach(page: Page, selector: str) -> None:
    """With the Tab key alone."""
    for _ in range(60):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(selector)


def test_roles_are_assigned_from_the_keyboard(site: LiveServer) -> None:
    """By whoever has signed in from it."""
    with signed_in(site, chromium.DESK) as page:
        page.context.clear_cookies()
        page.goto(f"{site.url}/admin/users")
        page.locator("#id_user_id:focus").fill("admin")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("table")
        reach(page, "[data-tick-all]")
        page.keyboard.press("Space")
        page.locator("main").focus()
        reach(page, "[data-actions] > summary")
        page.keyboard.press("Enter")
        reach(page, "[hx-post='/admin/users/roles']")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open] #role-form")
        reach(page, "input[value='apple.adde']")
        page.keyboard.press("Space")
        page.wait_for_selector("#role-preview code")
        previewed = page.locator("#role-preview code").all_text_contents()
        reach(page, "#role-form .button.primary")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog[open] [data-reload]")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog:not([open])", state="attached")
        page.wait_for_load_state()

    assert previewed == [f"{name}@mdm.example.test" for name in ("admin", "anna", "ben")]
    assert set(User.objects.values_list("managed_apple_account", flat=True)) == set(previewed)


def test_forms_follow_what_is_chosen(site: LiveServer) -> None:
    """A dash goes round, children follow their parent, grey texts the type of a directory, and a text what is shown."""
    User.objects.get(user_id="anna").role_grants.all().delete()
    with signed_in(site, chromium.DESK) as page:
        page.goto(f"{site.url}/admin/users")
        page.locator("[data-tick-all]").check()
        page.locator("[data-actions] > summary").click()
        page.locator("[hx-post='/admin/users/roles']").click()
        portal, child = page.locator("input[value='portal'][type=checkbox]"), page.locator("input[value='portal.lock']")
        page.wait_for_function("() => document.querySelector('#role-form input[value=portal]')?.indeterminate")
        mixed = "box => [box.indeterminate, box.checked]"
        seen = [portal.evaluate(mixed)]
        for _ in range(3):
            portal.click()
            seen.append(portal.evaluate(mixed))
        portal.click()
        portal.click()
        is_cleared = child.is_disabled()
        page.goto(f"{site.url}/admin/services/ldap/add")
        usual = [page.get_by_label("User ID attribute").get_attribute("placeholder")]
        page.get_by_label("Directory Type").select_option("other")
        usual.append(page.get_by_label("User ID attribute").get_attribute("placeholder"))
        page.goto(f"{site.url}/admin/settings/texts")
        typed = [page.locator("[name=text]").first.is_visible()]
        page.locator("[name=mode]").first.select_option("own")
        typed.append(page.locator("[name=text]").first.is_visible())

    assert seen == [[True, False], [False, True], [False, False], [True, False]]
    assert is_cleared
    assert usual == ["sAMAccountName", "uid"]
    assert typed == [False, True]


@pytest.mark.parametrize("language", ["en", "de"])
def test_everything_fits_a_phone_and_stands_out(site: LiveServer, language: str) -> None:
    with signed_in(site, chromium.PHONE, language) as page:
        page.goto(f"{site.url}/admin/users")
        page.locator("tbody input[name=row]").first.check()
        page.locator("[data-actions] > summary").click()
        page.locator("[hx-post='/admin/users/roles']").click()
        page.wait_for_selector("dialog[open] #role-form")
        seen = {"dialog": in_both_schemes(page)}
        for address in ("users/add", "account", "account/second-factor", "admins"):
            page.goto(f"{site.url}/admin/{address}")
            seen[address] = in_both_schemes(page)

    assert seen == {address: [(390, []), (390, [])] for address in seen}


def in_both_schemes(page: Page) -> list[tuple[int, list[str]]]:
    """How wide it is, and which texts do not stand out.  It is loaded once: the server does not know the scheme."""
    seen = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        seen.append((page.evaluate("document.documentElement.scrollWidth"), page.evaluate(WEAK_TEXT)))
    return seen
