"""Reading what waits: some rows together, each alone when that fails, and what cannot be read is set aside."""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from django.db import InterfaceError, InternalError, OperationalError, connection

from epmm import failover

MOST_BYTES: Final = 1 << 20  # of what is read together
LARGE: Final = 64 << 10  # bytes
GIVE_UP: Final = 5  # failures of one row while the database serves others
APART: Final = 10.0  # seconds between two that count


class Outbox:
    """`read` reads rows in one transaction, at most `together`, `read_large` one; both return how many are done with.

    `set_aside` has done with one that cannot be read; when another worker has read it meanwhile, it changes nothing.
    """

    def __init__(
        self,
        *,
        read: Callable[[Sequence[int]], int],
        read_large: Callable[[int], int],
        set_aside: Callable[[int, Exception], None],
        together: int,
    ) -> None:
        self._read, self._read_large, self._set_aside = read, read_large, set_aside
        self._together = together
        self._failures: dict[int, tuple[int, float]] = {}  # how many, and when the last one that counted was

    def work(self, sizes: Mapping[int, int]) -> int:
        """Read these, by their size in bytes; return how many are done with."""
        done = 0
        for together in _together({key: size for key, size in sizes.items() if size <= LARGE}, self._together):
            try:
                done += self._read(together)
            except Exception:  # noqa: BLE001 - which of them it was, and what of it, shows when each is read alone
                done += sum(self._alone(key, lambda key: self._read([key])) for key in together)
        return done + sum(self._alone(key, self._read_large) for key, size in sizes.items() if size > LARGE)

    def forget(self) -> None:
        """What has failed until now."""
        self._failures.clear()

    def _alone(self, key: int, read: Callable[[int], int]) -> int:
        try:
            done = read(key)
        except (OperationalError, InterfaceError, InternalError) as error:  # the last one: it was idle for too long
            if _is_the_databases(error):
                raise
            return self._give_up(key, error) if self._fails(key) >= GIVE_UP else 0
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one must not stop the others
            return self._give_up(key, error)
        self._failures.pop(key, None)
        return done

    def _fails(self, key: int) -> int:
        """A failure of the database passes; one that meets the same row again and again does not."""
        now = time.monotonic()
        count, at = self._failures.get(key, (0, now - APART))
        self._failures[key] = (count + 1, now) if now >= at + APART else (count, at)
        return self._failures[key][0]

    def _give_up(self, key: int, error: Exception) -> int:
        self._set_aside(key, error)
        self._failures.pop(key, None)
        return 1


def _together(sizes: Mapping[int, int], most: int) -> Iterator[list[int]]:
    """In their order, by number and by size: each is held in memory as it came and as it was understood."""
    batch: list[int] = []
    held = 0
    for key, size in sizes.items():
        if batch and (len(batch) == most or held + size > MOST_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(key)
        held += size
    if batch:
        yield batch


def what_was_wrong(error: Exception) -> dict[str, str]:
    """For the log.  The message of the exception may quote what was read: its type and place must do."""
    where = traceback.extract_tb(error.__traceback__)[-1:]
    return {"error": type(error).__name__, "at": "".join(f"{frame.filename}:{frame.lineno}" for frame in where)}


def _is_the_databases(error: Exception) -> bool:
    """Whether it serves nobody at the moment: away, or its disk full, or SQLite's one lock held by somebody else."""
    return failover.is_out_of_order(error) or connection.connection is None or not connection.is_usable()
