"""From exception to answer: the only table.

401 is not in it.  A managed device that receives a bare 401 removes its own management, so one wrong line could
unenroll a fleet (protocol reference, 12.1).  The one that asks a person to sign in again is made below, out of its
challenge: without one there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from django.db import InterfaceError, OperationalError

from devices.door.exchange import Answer
from devices.errors import (
    DeclarationGone,
    DeviceRefused,
    ReauthenticationNeeded,
    UnrecognizedDevice,
    UserNotManaged,
)
from epmm.asgi_http import BodyTooLarge, BodyTooSlow, Headers
from epmm.batching import StoreUnavailable
from epmm.gates import Overloaded
from epmm.wire.errors import WireError
from epmm.wire.refusal import unrecognized_device


class UnknownPath(Exception):
    pass


class WrongMethod(Exception):
    pass


STATUS: Final[Mapping[type[Exception], int]] = {
    WireError: 400,
    DeviceRefused: 403,
    UnrecognizedDevice: 403,
    UnknownPath: 404,
    DeclarationGone: 404,
    WrongMethod: 405,
    BodyTooSlow: 408,
    UserNotManaged: 410,
    BodyTooLarge: 413,
    Overloaded: 503,
    StoreUnavailable: 503,
    OperationalError: 503,
    InterfaceError: 503,
    TimeoutError: 503,
}
CHALLENGE: Final = "Bearer method="
CHALLENGED: Final = "challenge"
_HEADERS: Final[Mapping[int, Headers]] = {405: ((b"allow", b"PUT"),), 503: ((b"retry-after", b"15"),)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    error: Exception
    answer: Answer
    headers: Headers

    @property
    def kind(self) -> str:
        return type(self.error).__name__

    @property
    def told_as(self) -> int | str:
        """In the figures: a 401 with a challenge is no alarm, a bare one would be."""
        is_challenge = any(name == b"www-authenticate" for name, _ in self.headers)
        return CHALLENGED if is_challenge else self.answer.status

    @property
    def why(self) -> str:
        """For the log: one line, and the text of those exceptions only that never quote what a caller sent."""
        kind = self.kind
        text = str(self.error).partition("\n")[0] if self.answer.status in (400, 403, 503) else ""
        return f"{kind}: {text}" if text else kind


def refusal_for(error: Exception, *, accept: str = "") -> Refusal:
    if isinstance(error, ReauthenticationNeeded) and error.challenge.startswith(CHALLENGE):
        headers = ((b"www-authenticate", error.challenge.encode("ascii")), (b"cache-control", b"no-store"))
        return Refusal(error=error, answer=Answer(status=HTTPStatus.UNAUTHORIZED), headers=headers)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    body, content_type = b"", ""
    if isinstance(error, UnrecognizedDevice):
        body, content_type = unrecognized_device(message="This device is no longer managed.").render(accept)
    answer = Answer(status=status, body=body, content_type=content_type)
    return Refusal(error=error, answer=answer, headers=_HEADERS.get(status, ()))
