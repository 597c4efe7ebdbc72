"""Pushes on their way, and what becomes of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from devices.protocol.push import LARGEST_ANSWER, Outcome, Push, Verdict, read_answer, refusal


class Batch:
    """The pushes of one call; done when each has its outcome."""

    def __init__(self, pushes: Sequence[Push]) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self.requests = [Request(push=push, batch=self) for push in pushes]
        self._open = len(pushes)
        for request in self.requests:
            if unfit := refusal(request.push):
                request.settle(unfit)
        self._look()

    def count_down(self) -> None:
        self._open -= 1
        self._look()

    def give_up(self, reason: str) -> None:
        """Answers that come after this count no more."""
        for request in self.requests:
            if request.outcome is None:
                request.put_off(reason)

    def outcomes(self) -> list[Outcome]:
        return [request.outcome for request in self.requests if request.outcome]

    def _look(self) -> None:
        if self._open == 0 and not self.done.done():
            self.done.set_result(None)


@dataclass(slots=True, kw_only=True, eq=False)
class Request:
    push: Push
    batch: Batch = field(repr=False)
    outcome: Outcome | None = None
    tried: bool = False  # sent once, on a connection that ended without an answer
    sent: float = 0.0
    unsent: bytes = field(default=b"", repr=False)  # of the body; the server's window was too small
    status: int = 0
    answer: bytes = b""

    def settle(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
            self.batch.count_down()

    def put_off(self, reason: str, kind: Verdict = Verdict.TRY_LATER) -> None:
        self.settle(Outcome(kind=kind, status=0, reason=reason, apns_id=str(self.push.apns_id)))

    def hear(self, data: bytes) -> bool:
        """Keep a part of the answer's body; False when it is longer than any of Apple's."""
        self.answer += data
        return len(self.answer) <= LARGEST_ANSWER

    def read(self) -> Outcome:
        return read_answer(status=self.status, body=self.answer, apns_id=str(self.push.apns_id))

    def start_again(self) -> None:
        self.tried = True
        self.unsent, self.status, self.answer = b"", 0, b""
