"""A window that is listened to: the browser must have nothing to complain about, and ask nobody but us."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import BrowserContext, Page

# Who leaves while an answer is on its way has htmx complain of it.
LEFT: Final = ("htmx:sendAbort", "htmx:sendError")
# The browser itself notes each answer of 4xx: with this one comes a form that was not filled in well.
REFUSED_FORM: Final = "the server responded with a status of 422"


@contextmanager
def watched(context: BrowserContext, origin: str) -> Iterator[Page]:
    """What the page's policy blocks, the browser says on its console as well."""
    complaints: list[str] = []
    asked: set[str] = set()
    page = context.new_page()
    page.on("console", lambda message: complaints.append(f"{message.text} at {page.url}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
    yield page
    unexpected = [text for text in complaints if not any(each in text for each in (REFUSED_FORM, *LEFT))]
    assert not unexpected, unexpected
    assert asked == {origin}, asked
