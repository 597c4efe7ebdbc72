"""How often one caller may call, in this process."""

import math
import time
from functools import lru_cache
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from epmm import options, settings_store
from epmm.api.errors import ApiError
from epmm.rate_limit import Buckets
from users.api.caller import Caller

SECONDS: Final = 20  # worth of calls may come at once
WAIT_SECONDS: Final = 1.0
POLICY: Final = "calls"
# Calls that ask a server elsewhere while the caller waits, for as long as fifteen seconds; those of all callers.
_elsewhere: Final = Buckets(per_second=0.5, burst=10)
ELSEWHERE_SECONDS: Final = 5


class Calls(BaseThrottle):
    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - the framework's signature
        caller = request.auth
        return calls().admit(_key(caller) if isinstance(caller, Caller) else "", time.monotonic())

    def wait(self) -> float:
        return WAIT_SECONDS


def calls() -> Buckets:
    return _of_rate(settings_store.read(options.API_CALLS_PER_SECOND))


@lru_cache(maxsize=1)
def _of_rate(per_second: int) -> Buckets:
    """Another rate begins anew."""
    return Buckets(per_second=per_second, burst=per_second * SECONDS)


def _key(caller: Caller) -> str:
    return f"{caller.user.pk}/{caller.token.pk if caller.token else ''}"


def headers(caller: Caller) -> dict[str, str]:
    """What is left to this caller (draft-ietf-httpapi-ratelimit-headers-10), of the process that answers."""
    left = calls().left(_key(caller), time.monotonic())
    most = settings_store.read(options.API_CALLS_PER_SECOND) * SECONDS
    return {
        "RateLimit-Policy": f'"{POLICY}";q={most};w={SECONDS}',
        "RateLimit": f'"{POLICY}";r={math.floor(left)};t={math.ceil(calls().seconds_until_full(left))}',
    }


def admit_elsewhere() -> None:
    """Raises ApiError."""
    if not _elsewhere.admit("", time.monotonic()):
        headers = {"Retry-After": str(ELSEWHERE_SECONDS)}
        raise ApiError(429, "too.many.calls", _("Too many calls. Try again later."), headers)


def forget() -> None:
    """Begin anew, as a fresh process does."""
    _of_rate.cache_clear()
    _elsewhere.forget()
