"""A browser that calls nobody but us: one for all tests of a process, which the first of them starts."""

import asyncio
import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from tests import services

ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP mdm.example.test 127.0.0.1",  # the product under its public name
]
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
SMALL: Final[ViewportSize] = {"width": 320, "height": 568}  # also a window of 1280 at 400 %
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
expect.set_options(timeout=30_000)  # as long as Playwright waits for anything else


@contextmanager
def start() -> Iterator[Browser]:
    """Keep it short: until it ends, an event loop runs in this thread and Django refuses its database.

    What was opened in the browser is closed with it.
    """
    browser, loop = _browser()
    asyncio._set_running_loop(loop)
    try:
        yield browser
    finally:
        for context in browser.contexts:
            context.close()
        asyncio._set_running_loop(None)


@cache
def _browser() -> tuple[Browser, asyncio.AbstractEventLoop]:
    """To start it takes longer than most tests.  With the loop in which Playwright waits for it."""
    playwright = sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=services.chromium(), args=ARGUMENTS)
    loop = asyncio.get_running_loop()

    def end() -> None:
        asyncio._set_running_loop(loop)
        browser.close()
        playwright.stop()

    atexit.register(end)
    return browser, loop
