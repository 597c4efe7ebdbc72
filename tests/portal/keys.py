"""What an administrator does without a mouse: Tab until it is there, and see that it is."""

from typing import Final

from playwright.sync_api import Locator, Page, expect

STEPS_AT_MOST: Final = 150
# Where the focus is, as somebody sees it: in sight, and marked.
IS_SEEN: Final = """(element) => {
  const box = element.getBoundingClientRect();
  const {outlineStyle, boxShadow} = getComputedStyle(element);
  return box.bottom > 0 && box.top < innerHeight && (outlineStyle !== "none" || boxShadow !== "none");
}"""


def reach(wanted: Locator) -> None:
    expect(wanted).to_be_visible()
    for _ in range(STEPS_AT_MOST):
        if wanted.evaluate("(element) => element === document.activeElement"):
            assert wanted.evaluate(IS_SEEN), wanted
            return
        wanted.page.keyboard.press("Tab")
    raise AssertionError(wanted)


def press(wanted: Locator, key: str = "Enter") -> None:
    reach(wanted)
    wanted.page.keyboard.press(key)


def write(field: Locator, text: str) -> None:
    """Over what is there."""
    press(field, "ControlOrMeta+a")
    field.page.keyboard.type(text)


def type_ahead(page: Page, text: str) -> None:
    """In the list that has the focus.  The browser forgets the letters after a second, as when the machine is slow."""
    for _ in range(5):
        page.keyboard.type(text)
        if page.evaluate("(document.activeElement.selectedOptions?.[0]?.text ?? '')").startswith(text):
            return
        page.wait_for_timeout(1500)
    raise AssertionError(text)


def choose(page: Page, menu: Locator, name: str) -> None:
    """With the arrow keys."""
    reach(menu.locator("summary"))
    for _ in range(STEPS_AT_MOST):
        page.keyboard.press("ArrowDown")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            page.keyboard.press("Enter")
            return
    raise AssertionError(name)


def focused(wanted: Locator) -> None:
    expect(wanted).to_be_focused()
