"""The pages in a real browser: nothing blocked, nothing cut off, everything within reach."""

from collections.abc import Callable, Iterator
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize

from tests.enrollment.pages import chromium
from tests.enrollment.pages.samples import SAMPLES
from tests.enrollment.pages.site import Site, serve

pytestmark = pytest.mark.service("chromium")

Open = Callable[..., Page]
Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")

# Each text with the color behind it, measured as WCAG 2.2 does (relative luminance).
WEAK_TEXT: Final = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    throw new Error("no background");
  };
  const weak = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    if (!text.data.trim()) continue;
    const [dark, light] = [parse(getComputedStyle(text.parentElement).color), behind(text.parentElement)]
      .map(luminance).sort((a, b) => a - b);
    if ((light + 0.05) / (dark + 0.05) < 4.5) weak.push(text.data.trim());
  }
  return weak;
}"""
CUT_OFF: Final = """() => [...document.querySelectorAll("body *")].filter((element) => {
  const box = element.getBoundingClientRect();
  const outside = box.left < -0.5 || box.right > innerWidth + 0.5;
  const flows = getComputedStyle(element).display === "inline" || element.tagName === "INPUT";
  return box.width && (outside || !flows && element.scrollWidth > element.clientWidth + 1);
}).map((element) => element.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.start() as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    """One for all: a fresh one takes longer than any test."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def open_page(window: Page, site: Site) -> Iterator[Open]:
    """`open_page("home", "de", viewport=...)`; fails when the browser has anything to complain about."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    def open_page(
        sample: str, language: str = "en", *, viewport: ViewportSize = chromium.PHONE, scheme: Scheme = "light"
    ) -> Page:
        window.set_viewport_size(viewport)
        window.emulate_media(color_scheme=scheme)
        window.goto(f"{site.url}/{language}/{sample}")
        return window

    window.on("console", note)
    yield open_page
    window.remove_listener("console", note)
    assert complaints == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_everything_fits_a_small_screen(open_page: Open, sample: str) -> None:
    for language in ("de", "ar"):
        page = open_page(sample, language, viewport=chromium.SMALL)

        assert page.evaluate("document.documentElement.scrollWidth") == 320
        assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_everything_fits_with_text_twice_as_large(open_page: Open, sample: str) -> None:
    page = open_page(sample, "de")
    page.evaluate("document.documentElement.style.fontSize = '34px'")

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_text_stands_out(open_page: Open, sample: str) -> None:
    page = open_page(sample)
    for viewport in (chromium.PHONE, chromium.DESK):
        page.set_viewport_size(viewport)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)

            assert page.evaluate(WEAK_TEXT) == [], (viewport, scheme)


def test_the_schemes_differ(open_page: Open) -> None:
    background = "getComputedStyle(document.body).backgroundColor"

    assert open_page("sign-in", scheme="light").evaluate(background) == "rgb(255, 255, 255)"
    assert open_page("sign-in", scheme="dark").evaluate(background) == "rgb(28, 28, 30)"


@pytest.mark.parametrize("sample", ["sign-in-both-wrong", "privacy"])
def test_targets_are_large_enough_for_a_finger(open_page: Open, sample: str) -> None:
    page = open_page(sample)
    targets = page.locator("button, input:not([type=hidden])").all()

    assert targets
    for target in targets:
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44


def test_a_screen_reader_meets_the_form_in_order(open_page: Open) -> None:
    page = open_page("sign-in-both-wrong")
    heard = page.locator("body").aria_snapshot()

    assert [line.strip() for line in heard.splitlines()][:15] == [
        "- banner:",
        "- paragraph: Example Corp",
        "- main:",
        '- heading "Sign In" [level=1]',
        "- paragraph: Sign in with your work account. Example Corp will then manage this device.",
        "- alert:",
        "- paragraph: The user ID, password or PIN is not right.",
        "- paragraph:",
        "- text: Code",
        "- code: E-201",
        "- text: User ID or work account",
        '- textbox "User ID or work account": anna@mdm.example.test',
        "- text: Password",
        '- textbox "Password"',
        "- text: Registration PIN",
    ]
    assert '- region "What Example Corp can see and do"' in heard
    assert page.evaluate("document.activeElement.id") == "password"


def test_the_code_of_a_refusal_is_selected_with_one_touch(open_page: Open) -> None:
    page = open_page("refused")
    page.locator("code").click()

    assert page.evaluate("getSelection().toString()") == "E-206"


def test_a_person_signs_in_from_the_keyboard_without_scripts(browser: Browser, site: Site) -> None:
    site.posted.clear()
    with browser.new_context(viewport=chromium.PHONE, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.url}/en/sign-in-nameless")
        page.locator("input[name=user_id]:focus").wait_for()  # the cursor is already there
        page.keyboard.type("anna")
        page.keyboard.press("Tab")
        page.keyboard.type("correct horse")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")

    sent = {"step": "credentials", "user_id": "anna", "password": "correct horse"}
    assert site.posted == [("/enroll/sign-in/7f3a", sent)]


def test_the_browser_asks_for_a_password_before_the_server_does(browser: Browser, site: Site) -> None:
    site.posted.clear()
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.url}/en/sign-in")
        page.get_by_role("button", name="Continue").click()

        assert page.evaluate("document.activeElement.id") == "password"
    assert site.posted == []
