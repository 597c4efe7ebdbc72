"""How often one caller may call, in this process."""

import time
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from epmm.rate_limit import Buckets
from users.api.caller import Caller

PER_SECOND: Final = 50.0
BURST: Final = 1000.0
WAIT_SECONDS: Final = 1.0
_calls: Final = Buckets(per_second=PER_SECOND, burst=BURST)


class Calls(BaseThrottle):
    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - the framework's signature
        caller = request.auth
        key = f"{caller.user.pk}/{caller.token.pk if caller.token else ''}" if isinstance(caller, Caller) else ""
        return _calls.admit(key, time.monotonic())

    def wait(self) -> float:
        return WAIT_SECONDS


def forget() -> None:
    """Begin anew, as a fresh process does."""
    _calls.forget()
