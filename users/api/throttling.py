"""How often one caller may call, in this process."""

import math
import time
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from epmm.api.errors import ApiError
from epmm.rate_limit import Buckets
from users.api.caller import Caller

PER_SECOND: Final = 50.0
BURST: Final = 1000.0
WAIT_SECONDS: Final = 1.0
POLICY: Final = "calls"
_calls: Final = Buckets(per_second=PER_SECOND, burst=BURST)
# Calls that ask a server elsewhere while the caller waits, for as long as fifteen seconds; those of all callers.
_elsewhere: Final = Buckets(per_second=0.5, burst=10)
ELSEWHERE_SECONDS: Final = 5


class Calls(BaseThrottle):
    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - the framework's signature
        caller = request.auth
        return _calls.admit(_key(caller) if isinstance(caller, Caller) else "", time.monotonic())

    def wait(self) -> float:
        return WAIT_SECONDS


def _key(caller: Caller) -> str:
    return f"{caller.user.pk}/{caller.token.pk if caller.token else ''}"


def headers(caller: Caller) -> dict[str, str]:
    """What is left to this caller (draft-ietf-httpapi-ratelimit-headers-10), of the process that answers."""
    left = _calls.left(_key(caller), time.monotonic())
    return {
        "RateLimit-Policy": f'"{POLICY}";q={BURST:.0f};w={BURST / PER_SECOND:.0f}',
        "RateLimit": f'"{POLICY}";r={math.floor(left)};t={math.ceil(_calls.seconds_until_full(left))}',
    }


def admit_elsewhere() -> None:
    """Raises ApiError."""
    if not _elsewhere.admit("", time.monotonic()):
        headers = {"Retry-After": str(ELSEWHERE_SECONDS)}
        raise ApiError(429, "too.many.calls", _("Too many calls. Try again later."), headers)


def forget() -> None:
    """Begin anew, as a fresh process does."""
    _calls.forget()
    _elsewhere.forget()
