"""A token bucket for each caller, in the memory of this process: enough to blunt a flood at a public address.

A browser that somebody has signed in with has a bucket of its own: no flood from its network empties it.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from epmm import caller
from epmm.client_address import client_address, network

PER_SECOND: Final = 20.0  # an office behind one address may enroll in a hurry
BURST: Final = 200.0
REMEMBERED: Final = 50_000
WAIT: Final = 5


class Buckets:
    def __init__(self, *, per_second: float = PER_SECOND, burst: float = BURST, remembered: int = REMEMBERED) -> None:
        self._per_second, self._burst, self._remembered = per_second, burst, remembered
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def left(self, address: str, now: float) -> float:
        """How many tokens are in the bucket of this address."""
        with self._lock:
            return self._level(*self._levels.get(address, (self._burst, now)), now)

    def seconds_until_full(self, level: float) -> float:
        return (self._burst - level) / self._per_second

    def _level(self, level: float, since: float, now: float) -> float:
        return min(self._burst, level + (now - since) * self._per_second)

    def admit(self, address: str, now: float) -> bool:
        """Take one token; False when the bucket of this address is empty."""
        with self._lock:
            level = self._level(*self._levels.pop(address, (self._burst, now)), now)
            admitted = level >= 1
            self._levels[address] = (level - 1 if admitted else level, now)
            if len(self._levels) > self._remembered:
                self._levels.popitem(last=False)
            return admitted

    def forget(self) -> None:
        with self._lock:
            self._levels.clear()


_buckets = Buckets()


def limited(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For views that anyone may call: 429 beyond the limit."""

    @wraps(view)
    def limited_view(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if _buckets.admit(caller.browser_name() or network(client_address(request)), time.monotonic()):
            return view(request, *args, **kwargs)
        return too_many(request, WAIT)

    return limited_view


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    """A page for people; devices and programs read the header."""
    headers = {"Retry-After": str(seconds)}
    if not request.accepts("text/html") or "Accept" not in request.headers:
        return HttpResponse(status=429, headers=headers)
    sentence = _("More comes from your network than this server takes at once. Try again in {n} seconds.")
    page = render_to_string("429.html", {"sentence": sentence.format(n=seconds)})
    return HttpResponse(page, status=429, headers=headers)


def forget() -> None:
    """Begin anew, as a fresh process does."""
    _buckets.forget()
