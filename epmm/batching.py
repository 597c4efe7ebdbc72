"""Natural batching: while one batch is being committed, the questions that arrive become the next.

What comes together shares a commit, and so one fsync; what comes alone waits for nobody.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from epmm import metrics

Q = TypeVar("Q")
A = TypeVar("A")

log = logging.getLogger(__name__)

LARGEST_BATCH: Final = 64
IN_VAIN: Final = 3
SECONDS: Final = 10  # what is not answered until then may still be stored; the device repeats it, which does no harm
LOOK_SECONDS: Final = 1.0


class StoreUnavailable(Exception):
    """The database cannot be asked now; who asked will come again.  The argument is for the log."""


class _Asked(NamedTuple, Generic[Q, A]):
    question: Q
    done: Callable[[A | Exception], object]
    until: float  # of the loop's clock


class BatchingStore(ABC, Generic[Q, A]):
    """Questions and their answers, one batch at a time; all of it in one event loop."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._waiting: deque[_Asked[Q, A]] = deque()
        self._one_by_one: deque[_Asked[Q, A]] = deque()  # of a batch that failed
        self._in_vain = 0  # of those, how many in a row
        self._batch: list[_Asked[Q, A]] = []
        self._is_called = False
        self._next_look: asyncio.TimerHandle | None = None

    @abstractmethod
    def _begin(self, questions: Sequence[Q], /) -> None:
        """Have all of them committed or none, and call `_end` later."""

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._look()

    async def close(self) -> None:
        """Finish what was begun; nobody asks any more."""
        while self._batch or self._waiting or self._one_by_one:  # noqa: ASYNC110 -- once, at the end
            await asyncio.sleep(0.01)
        if self._next_look is not None:
            self._next_look.cancel()

    def ask(self, question: Q, done: Callable[[A | Exception], object]) -> None:
        """`done` is called once, after the commit; with an exception, or StoreUnavailable, if there was none."""
        self._waiting.append(_Asked(question, done, self._loop.time() + self._seconds))
        if not self._batch:
            self._call_next()

    async def connect(self, question: Q) -> A:
        future: asyncio.Future[A] = self._loop.create_future()
        self.ask(question, lambda answer: _resolve(future, answer))
        return await future

    def _call_next(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._when_all_are_here, 0)

    def _when_all_are_here(self, before: int) -> None:
        """Who comes at the same time shares the batch: turn by turn of the loop, as long as each brings more."""
        here = len(self._waiting)
        if 1 < here < LARGEST_BATCH and before < here:
            self._loop.call_soon(self._when_all_are_here, here)
        else:
            self._next()

    def _next(self) -> None:
        self._is_called = False
        if self._one_by_one:
            self._batch = [self._one_by_one.popleft()]
        else:
            self._batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_BATCH))]
        if self._batch:
            metrics.door_batch.observe(len(self._batch))
            try:
                self._begin([asked.question for asked in self._batch])
            except Exception as error:  # noqa: BLE001 -- those that wait for the answers must get it
                self._loop.call_soon(self._end, error)

    def _end(self, answers: Sequence[A] | Exception) -> None:
        """A batch that fails is done again one by one, so that a request can only fail by itself."""
        batch, self._batch = self._batch, []
        if isinstance(answers, Exception):
            if len(batch) > 1 and not isinstance(answers, StoreUnavailable):
                self._one_by_one.extend(batch)
                self._in_vain = 0
                return self._call_next()
            self._failed(batch, answers)
        else:
            self._in_vain = 0
        if self._waiting or self._one_by_one:
            self._call_next()
        if not isinstance(answers, Exception):
            for asked, answer in zip(batch, answers, strict=True):
                _hand_over(asked, answer)
        return None

    def _failed(self, batch: Sequence[_Asked[Q, A]], error: Exception) -> None:
        """Where several in a row wait in vain, it is not them: the others come again, rather than wait in vain too."""
        self._in_vain = self._in_vain + 1 if isinstance(error, StoreUnavailable) else 0
        if self._in_vain >= IN_VAIN and self._one_by_one:
            others, self._one_by_one = self._one_by_one, deque()
            for asked in others:
                _hand_over(asked, StoreUnavailable("the database is busy"))
        for asked in batch:
            _hand_over(asked, error)

    def _look(self) -> None:
        """Who has waited too long is told so: before the batch, whoever asks again would only be in the way."""
        self._next_look = self._loop.call_later(min(LOOK_SECONDS, self._seconds), self._look)
        now = self._loop.time()
        late: list[_Asked[Q, A]] = []
        for queue in (self._waiting, self._one_by_one):
            for _ in range(len(queue)):
                asked = queue.popleft()
                (late if asked.until <= now else queue).append(asked)
        for index, asked in enumerate(self._batch):
            if asked.until <= now:
                self._batch[index] = asked._replace(done=_nobody, until=float("inf"))
                late.append(asked)
        for asked in late:
            _hand_over(asked, StoreUnavailable("no answer in time"))


def _hand_over(asked: _Asked[Q, A], answer: A | Exception) -> None:
    try:
        asked.done(answer)
    except Exception:
        log.exception("An answer could not be handed over.")  # the others get theirs


def _nobody(_answer: object) -> None:
    """Who asked has been told already."""


def _resolve(future: asyncio.Future[A], answer: A | Exception) -> None:
    if future.done():  # whoever waited has gone
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
