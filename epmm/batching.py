"""Natural batching: while one batch is being committed, the requests that arrive become the next.

Requests that come together share a commit, and so one fsync; one that comes alone waits for nobody.
"""

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

from epmm import metrics

Q = TypeVar("Q")
A = TypeVar("A")

LARGEST_BATCH: Final = 64
IN_VAIN: Final = 3
SECONDS: Final = 10  # what is not answered until then may still be stored; the device repeats it, which does no harm


class StoreUnavailable(Exception):
    """The database cannot be asked now; who asked will come again.  The argument is for the log."""


class BatchingStore(ABC, Generic[Q, A]):
    """A store of questions and answers with one connection, in a thread of its own."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._waiting: SimpleQueue[tuple[Q, asyncio.Future[A]] | None] = SimpleQueue()

    @abstractmethod
    def _commit(self, questions: Sequence[Q], /) -> list[A]:
        """All of them or none; in the thread."""

    @abstractmethod
    def _disconnect(self) -> None:
        """In the thread."""

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._serve, name=f"door-{type(self).__name__}", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    async def connect(self, question: Q) -> A:
        future: asyncio.Future[A] = self._loop.create_future()
        self._waiting.put((question, future))
        timer = self._loop.call_later(self._seconds, _give_up, future)  # a third of what asyncio.timeout costs
        try:
            return await future
        finally:
            timer.cancel()

    def _serve(self) -> None:
        while (first := self._waiting.get()) is not None:
            # whoever has given up will ask again: the question would only be in the way
            batch = [(question, future) for question, future in (first, *self._collected()) if not future.done()]
            if batch:
                metrics.door_batch.observe(len(batch))
                answers = self._answers([question for question, _ in batch])
                self._loop.call_soon_threadsafe(_resolve, [future for _, future in batch], answers)
        self._disconnect()

    def _collected(self) -> Iterable[tuple[Q, asyncio.Future[A]]]:
        with contextlib.suppress(Empty):
            for _ in range(LARGEST_BATCH - 1):
                waiting = self._waiting.get_nowait()
                if waiting is None:  # the end, once these are done
                    self._waiting.put(None)
                    return
                yield waiting

    def _answers(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        """A batch that fails is done again one by one, so that a request can only fail by itself."""
        try:
            return self._commit(questions)
        except StoreUnavailable as error:
            return [error] * len(questions)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the one that waits for the answer must get it
            if len(questions) == 1:
                return [error]
            return self._one_by_one(questions)

    def _one_by_one(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        """Where several in a row wait in vain, it is not them: the others come again, rather than wait in vain too."""
        answers: list[A | Exception] = []
        for question in questions:
            if len(answers) >= IN_VAIN and all(isinstance(each, StoreUnavailable) for each in answers[-IN_VAIN:]):
                answers.append(StoreUnavailable("the database is busy"))
            else:
                answers += self._answers([question])
        return answers


def _give_up(future: asyncio.Future[A]) -> None:
    if not future.done():
        future.set_exception(StoreUnavailable("no answer in time"))


def _resolve(futures: Sequence[asyncio.Future[A]], answers: Sequence[A | Exception]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if future.done():  # given up on
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
