"""Who calls: the browser, where somebody has signed in with it before.

A signed cookie names it, and those who signed in with it.  It opens nothing: it keeps apart, when sign-ins are counted,
whoever has signed in here before from all who have not (docs/decisions/0049-known-browsers-are-counted-apart.md).
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.core import signing
from django.utils.crypto import salted_hmac

from epmm import limit_options, settings_store

COOKIE: Final = "__Host-epmm-browser"
SALT: Final = "epmm.caller"
MOST_PEOPLE: Final = 8  # of a browser that goes from hand to hand; the one who signed in last comes first
LONGEST: Final = 1024
MARK_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Browser:
    name: str = ""
    marks: tuple[str, ...] = ()  # of those who have signed in with it

    @classmethod
    def unseal(cls, text: str) -> "Browser":
        """A stranger, when it is not one of ours."""
        try:
            name, *marks = signing.loads(text[:LONGEST], salt=SALT, max_age=seconds())
        except (signing.BadSignature, ValueError):
            return cls()
        return cls(name, tuple(marks))

    def seal(self) -> str:
        return signing.dumps([self.name, *self.marks], salt=SALT)

    def also_of(self, mark: str) -> "Browser":
        others = [each for each in self.marks if each != mark]
        return Browser(self.name or secrets.token_urlsafe(12), (mark, *others)[:MOST_PEOPLE])


def seconds() -> int:
    """For how long a browser is known."""
    return settings_store.read(limit_options.KNOWN_BROWSER_DAYS) * 86_400


class Caller:
    """Of one request.  The cookie is read when somebody asks: no device pays for it."""

    def __init__(self, cookie: str = "") -> None:
        self._cookie = cookie
        self.signed_in: Browser | None = None
        self.wait = 0  # seconds, after which it may try again

    @cached_property
    def browser(self) -> Browser:
        return Browser.unseal(self._cookie) if self._cookie else Browser()


_here: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


@contextmanager
def calling(cookie: str) -> Iterator[Caller]:
    caller = Caller(cookie)
    token = _here.set(caller)
    try:
        yield caller
    finally:
        _here.reset(token)


def browser_name() -> str:
    """Empty for one that nobody has signed in with yet."""
    caller = _here.get()
    return caller.browser.name if caller is not None else ""


def browser_of(person: object) -> str:
    """The name of the browser that calls, where this person has signed in with it before; else empty."""
    caller = _here.get()
    is_known = caller is not None and _mark(person) in caller.browser.marks
    return browser_name() if is_known else ""


def has_signed_in(person: object) -> None:
    """From now on this browser is known for them."""
    caller = _here.get()
    if caller is not None:
        caller.signed_in = (caller.signed_in or caller.browser).also_of(_mark(person))


def has_to_wait(seconds: int) -> None:
    caller = _here.get()
    if caller is not None:
        caller.wait = max(caller.wait, seconds)


def _mark(person: Any) -> str:
    """By whoever reads cookies not to be told from another."""
    return salted_hmac(SALT, str(person), algorithm="sha256").hexdigest()[:MARK_LENGTH]
