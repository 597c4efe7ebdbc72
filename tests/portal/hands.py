"""What an administrator's hands do all the time: open a page, tick a row, choose an action, look."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Locator, Page

from enrollment.simulator.device import SimulatedDevice
from tests.epmm.processes import eventually

# While it asks by itself, what is asked besides would have to wait.
POLL: Final = """async isHidden => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => isHidden});
  while (document.querySelector(".htmx-request")) await new Promise(requestAnimationFrame);
  const poll = document.querySelector("[data-poll]");
  let isSent = false;
  poll.addEventListener("htmx:beforeSend", () => { isSent = true; });
  await htmx.ajax("GET", poll.getAttribute("hx-get"), {source: poll});
  return isSent;
}"""


def open_page(page: Page, tab: str, name: str = "") -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name=tab, exact=True).click()
    if name:
        page.get_by_role("navigation", name=tab, exact=True).get_by_role("link", name=name, exact=True).click()


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def row(page: Page, text: str) -> Locator:
    return page.locator("#rows tbody tr").filter(has_text=text)


def tick(page: Page, text: str) -> None:
    row(page, text).get_by_role("checkbox").check()


def act(page: Page, name: str) -> None:
    page.locator("[data-actions] > summary").click()
    page.locator("[data-actions]").get_by_role("button", name=name, exact=True).click()


def settled(page: Page) -> None:
    """What has just been swapped in listens some milliseconds later: sooner than anybody types."""
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-added, .htmx-settling')")


def type_anew(field: Locator, text: str) -> None:
    """Key by key, as the page hears a person."""
    settled(field.page)
    field.fill("")
    field.press_sequentially(text)


def result(page: Page, device: SimulatedDevice) -> Locator:
    """What came of an action for this device."""
    return dialog(page).locator("tr").filter(has_text=device.hardware.name)


def leave(page: Page) -> None:
    """The dialog that told what came of it; the page below comes anew."""
    with page.expect_navigation():
        dialog(page).locator(".dialog-buttons .primary").click()


def fact(page: Page, name: str) -> Locator:
    return page.locator("dt", has_text=re.compile(f"^{name}$")).locator("+ dd")


def reload_until(page: Page, is_so: Callable[[], bool]) -> None:
    def look() -> bool:
        page.reload()
        return is_so()

    eventually(look)


def polls(page: Page, *, is_hidden: bool) -> bool:
    """Whether a page that would look for news asks for them, in a window that is hidden or is not."""
    return bool(page.evaluate(POLL, is_hidden))


@contextmanager
def unloaded(page: Page) -> Iterator[None]:
    """What happens in here, the page shows without being loaded again."""
    page.evaluate("window.isTheSame = true")
    yield
    assert page.evaluate("window.isTheSame")
