"""All pages and dialogs of the portal in a browser: what axe says, and whether a phone and a keyboard will do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.enrollment.pages import chromium
from tests.enrollment.pages.axe import COLORS, bring, found
from tests.flows.house import PASSWORD as HERS
from tests.portal import walk
from tests.portal.conftest import PASSWORD, SignedIn, make_administrator
from tests.portal.inhabited import fill, protect
from tests.portal.walk import Place
from tests.portal.window import watched
from users.models import AdminRole, User
from users.services import administrators, upkeep

pytestmark = [pytest.mark.service("chromium"), pytest.mark.once, pytest.mark.django_db(transaction=True)]

OPEN_MENUS: Final = """() => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""
# Whatever may be clicked, is in sight and does not stand in a closed menu.
OUT_OF_REACH: Final = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
  .filter((element) => element.checkVisibility({visibilityProperty: true}) && !element.disabled)
  .filter((element) => !element.closest("[inert]"))
  .filter((element) => !document.querySelector("dialog[open]") || element.closest("dialog[open]"))
  .filter((element) => !window.reached.has(element))
  .map((element) => element.outerHTML.slice(0, 120))"""
LISTEN: Final = """() => {
  const isNew = !window.reached;
  window.reached = new Set();
  window.unmarked = [];
  window.isRound = false;
  if (isNew) document.addEventListener("focusin", ({target}) => {
    if (window.reached.has(target)) window.isRound = true;
    window.reached.add(target);
    const {outlineStyle, boxShadow} = getComputedStyle(target);
    if (outlineStyle === "none" && boxShadow === "none") window.unmarked.push(target.outerHTML.slice(0, 120));
  });
}"""
STEPS_AT_MOST: Final = 200
STEPS_AT_ONCE: Final = 10  # between two looks
CUT: Final = """[...document.querySelectorAll("#rows")].some((list) => list.scrollWidth > list.clientWidth)"""


@dataclass(frozen=True, slots=True)
class Portal:
    url: str
    code: str  # of the administrator, when the authenticator is lost


@pytest.fixture
def portal(live_server: LiveServer, settings: Any) -> Portal:
    """Without TLS, for which these two are made: a browser lets plain cookies through to itself alone."""
    for name, value in {"SESSION_COOKIE": "session", "CSRF_COOKIE": "csrf"}.items():
        setattr(settings, f"{name}_NAME", value)
        setattr(settings, f"{name}_SECURE", False)
    fill()
    return Portal(live_server.url, protect(make_administrator())[0])


@pytest.fixture
def places(portal: Portal, signed_in: SignedIn) -> list[Place]:
    client = signed_in("looker")
    protect(User.objects.get(user_id="looker"))
    return walk.places(client)


def sign_in(page: Page, name: str, password: str) -> None:
    page.locator("#id_user_id:focus").fill(name)
    page.locator("#id_password").fill(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@contextmanager
def window(portal: Portal, **options: Any) -> Iterator[Page]:
    with chromium.start() as browser, watched(browser.new_context(**options), portal.url) as page:
        page.goto(f"{portal.url}/admin/account")
        sign_in(page, "admin", PASSWORD)
        page.locator("#id_code").fill(portal.code)
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin/account")
        yield page


def test_axe_finds_nothing_and_no_list_is_cut_on_a_desk(portal: Portal, places: list[Place]) -> None:
    seen, cut = {}, {}
    with window(portal) as page:
        bring(page.context)
        for place in places:
            page.set_viewport_size(chromium.DESK)
            place.open(page, portal.url)
            cut[place.address] = page.evaluate(CUT)
            seen[place.address] = both_ways(page, "#dialog" if place.is_dialog else "")

    # what the audit log tells may hold words of any length
    assert [address for address, is_cut in cut.items() if is_cut and address != "/admin/logs/audit"] == []
    assert {address: lines for address, lines in seen.items() if lines} == {}


def test_axe_finds_nothing_on_the_way_in(portal: Portal) -> None:
    """Refused, in need of another password, and of a code."""
    administrators.set_roles(User.objects.get(user_id="anna"), [AdminRole.LOGS_VIEW], actor="test")
    upkeep.require_new_password(User.objects.get(user_id="anna"), actor="test")
    seen = {}
    with chromium.start() as browser:
        for name, password in (("admin", "wrong"), ("anna", HERS), ("admin", PASSWORD)):
            with browser.new_context(viewport=chromium.DESK) as context:
                bring(context)
                page = context.new_page()
                page.goto(f"{portal.url}/admin/sign-in")
                sign_in(page, name, password)
                seen[page.title()] = both_ways(page)

    assert len(seen) == 3
    assert {title: lines for title, lines in seen.items() if lines} == {}


def both_ways(page: Page, where: str = "") -> list[str]:
    """All rules in light on a desk, and in dark on a phone with the menus open; of a dialog the colors there."""
    page.emulate_media(color_scheme="light")
    lines = found(page, where)
    page.set_viewport_size(chromium.PHONE)
    page.emulate_media(color_scheme="dark")
    if where:
        return lines + found(page, where, rules=COLORS)
    page.evaluate(OPEN_MENUS)
    return lines + found(page)


def test_a_phone_and_a_keyboard_will_do(portal: Portal, places: list[Place]) -> None:
    """In dark and in German, which has the longest words."""
    wide, unreached, unmarked = {}, {}, {}
    with window(portal, viewport=chromium.PHONE, color_scheme="dark", locale="de") as page:
        for place in places:
            place.open(page, portal.url)
            assert page.evaluate("document.documentElement.lang") == "de"
            wide[place.address] = page.evaluate("document.documentElement.scrollWidth")
            go_round(page)
            unreached[place.address] = page.evaluate(OUT_OF_REACH)
            unmarked[place.address] = page.evaluate("window.unmarked")

    assert {name: width for name, width in wide.items() if width != chromium.PHONE["width"]} == {}
    assert {name: lines for name, lines in unreached.items() if lines} == {}
    assert {name: lines for name, lines in unmarked.items() if lines} == {}


def go_round(page: Page) -> None:
    """With the Tab key until it comes back to where it has been."""
    page.evaluate(LISTEN)
    for step in range(1, STEPS_AT_MOST + 1):
        page.keyboard.press("Tab")
        if step % STEPS_AT_ONCE == 0 and page.evaluate("window.isRound"):
            return
    raise AssertionError(page.url)
