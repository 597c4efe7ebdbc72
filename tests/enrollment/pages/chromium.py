"""A browser that calls nobody but us."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, ViewportSize, sync_playwright

ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
SMALL: Final[ViewportSize] = {"width": 320, "height": 568}  # also a window of 1280 at 400 %
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}


@contextmanager
def start(*more: str) -> Iterator[Browser]:
    """Keep it short: while it lives, an event loop runs in this thread and Django refuses its database."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            browser.close()
