"""Questions that become batches, on a store that answers when it is told to."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from epmm import batching
from epmm.batching import LARGEST_BATCH, BatchingStore, StoreUnavailable


class ToldStore(BatchingStore[int, str]):
    def __init__(self, *, seconds: float = 10) -> None:
        super().__init__(seconds=seconds)
        self.begun: list[list[int]] = []
        self._is_under_way = False

    def _begin(self, questions: Sequence[int], /) -> None:
        self.begun.append(list(questions))
        self._is_under_way = True

    async def answer(self) -> None:
        await self.begins()
        self._is_under_way = False
        self._end([f"to {question}" for question in self.begun[-1]])

    async def fail(self, error: Exception) -> None:
        await self.begins()
        self._is_under_way = False
        self._end(error)

    async def begins(self) -> None:
        async with asyncio.timeout(5):
            while not self._is_under_way:  # noqa: ASYNC110 -- what begins is called by the loop, soon
                await asyncio.sleep(0)


def asked(store: ToldStore, *questions: int) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(store.connect(question)) for question in questions]


def told(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


async def outcomes(tasks: Sequence[asyncio.Task[str]]) -> list[str]:
    async with asyncio.timeout(5):
        said = await asyncio.gather(*tasks, return_exceptions=True)
    return [str(each) for each in said]


def test_what_arrives_while_a_batch_is_committed_is_the_next() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        first = asked(store, 1, 2)
        await store.begins()
        second = asked(store, 3, *range(100, 100 + LARGEST_BATCH))
        await asyncio.sleep(0)
        assert store.begun == [[1, 2]]

        await store.answer()
        await store.begins()
        assert len(store.begun[1]) == LARGEST_BATCH
        await store.answer()
        await store.begins()
        assert store.begun[2] == [99 + LARGEST_BATCH]
        await store.answer()
        assert await outcomes(first) == ["to 1", "to 2"]
        assert (await outcomes(second))[0] == "to 3"
        await store.close()


def test_whoever_comes_turn_by_turn_shares_the_batch() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        answers: list[object] = []
        for question in (1, 2):
            store.ask(question, answers.append)
        asyncio.get_running_loop().call_soon(store.ask, 3, answers.append)
        await store.answer()

        assert store.begun == [[1, 2, 3]]
        assert answers == ["to 1", "to 2", "to 3"]
        await store.close()


def test_whoever_comes_alone_waits_for_nobody() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        answers: list[object] = []
        store.ask(1, answers.append)
        asyncio.get_running_loop().call_soon(store.ask, 2, answers.append)
        await store.answer()
        await store.answer()

        assert store.begun == [[1], [2]]
        assert answers == ["to 1", "to 2"]
        await store.close()


def test_a_batch_that_fails_is_done_again_one_by_one() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        waiting = asked(store, 1, 2, 3)
        await store.begins()
        await store.fail(ValueError("which?"))
        await store.answer()
        await store.fail(ValueError("2 cannot be"))
        await store.answer()

        assert store.begun == [[1, 2, 3], [1], [2], [3]]
        assert await outcomes(waiting) == ["to 1", "2 cannot be", "to 3"]
        await store.close()


def test_a_batch_that_cannot_be_begun_is_answered_and_the_next_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        begin, broken = store._begin, [RuntimeError("no thread"), RuntimeError("no thread")]

        def begin_or_not(questions: Sequence[int]) -> None:
            if broken:
                raise broken.pop()
            begin(questions)

        monkeypatch.setattr(store, "_begin", begin_or_not)
        assert await outcomes(asked(store, 1)) == ["no thread"]
        waiting = asked(store, 2, 3)
        await store.begins()
        await store.answer()
        await store.answer()
        assert await outcomes(waiting) == ["to 2", "to 3"]
        await store.close()


def test_an_answer_that_cannot_be_handed_over_hinders_no_other() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()

        def broken(_answer: object) -> None:
            raise ValueError

        got: list[object] = []
        store.ask(0, broken)
        store.ask(1, got.append)
        await store.begins()
        await store.answer()
        assert got == ["to 1"]
        await store.close()


def test_an_outage_is_told_to_all_at_once() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        waiting = asked(store, 1, 2)
        await store.begins()
        await store.fail(StoreUnavailable("gone"))

        assert await outcomes(waiting) == ["gone", "gone"]
        assert len(store.begun) == 1
        await store.close()


def test_where_several_wait_in_vain_the_others_are_not_made_to() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        waiting = asked(store, *range(10))
        await store.begins()
        await store.fail(ValueError("which?"))
        for _ in range(batching.IN_VAIN):
            await store.fail(StoreUnavailable("lock timeout"))

        assert store.begun == [list(range(10)), [0], [1], [2]]
        assert await outcomes(waiting) == ["lock timeout"] * 3 + ["the database is busy"] * 7
        await store.close()


def test_who_waits_too_long_is_told_so_and_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LOOK_SECONDS", 0.01)

    @told
    async def story() -> None:
        store = ToldStore(seconds=0.02)
        await store.open()
        in_flight = asked(store, 1)
        await store.begins()
        waiting = asked(store, 2)

        assert await outcomes([*in_flight, *waiting]) == ["no answer in time"] * 2
        await store.answer()
        assert store.begun == [[1]]
        await store.close()


def test_whoever_gave_up_hinders_nobody() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        gone, waiting = asked(store, 1, 2)
        await store.begins()
        gone.cancel()
        await asyncio.sleep(0)
        await store.answer()

        assert await outcomes([waiting]) == ["to 2"]
        await store.close()


def test_at_the_end_what_was_begun_is_waited_for() -> None:
    @told
    async def story() -> None:
        store = ToldStore()
        await store.open()
        waiting = asked(store, 1)
        await store.begins()
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        assert not closing.done()

        await store.answer()
        async with asyncio.timeout(5):
            await closing
        assert await outcomes(waiting) == ["to 1"]
