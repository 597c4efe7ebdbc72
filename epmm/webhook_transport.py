"""One request to a receiver, and what it answered."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from epmm import outbound
from epmm.outbound import Manners, Unreachable
from epmm.webhook_models import LONGEST_EXCERPT

SECONDS: Final = 10.0
EACH: Final = 4  # requests to one receiver at once
RECEIVERS: Final = 20  # a dead one holds its own places, and nobody else's
READ: Final = 4096  # bytes of an answer, whatever it is
# What speaks of the receiver as a whole, not of the event that it was told.
AWAY: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
# Places of their own, as many as all receivers together may need: none waits for another, nor do sign-ins for them.
_MANNERS: Final = Manners(
    places=threading.BoundedSemaphore(EACH * RECEIVERS + RECEIVERS), takes_http=True, read_at_most=READ
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    status: int | None  # None: no answer came
    milliseconds: int
    excerpt: str  # of the answer, or why there was none

    @property
    def is_taken(self) -> bool:
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_away(self) -> bool:
        return self.status is None or self.status in AWAY


def post(address: str, content: bytes, headers: Mapping[str, str]) -> Outcome:
    began = time.monotonic()
    status: int | None = None
    try:
        reply = outbound.send("POST", address, headers=headers, content=content, seconds=SECONDS, manners=_MANNERS)
        status, words = reply.status, reply.body.decode(errors="replace").replace("\0", "")
    except Unreachable as error:
        words = str(error)
    spent = round((time.monotonic() - began) * 1000)
    return Outcome(status=status, milliseconds=spent, excerpt=words[:LONGEST_EXCERPT])
