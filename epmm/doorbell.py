"""Rings at the broker from a thread of its own: whoever wrote a job waits for nobody, not even for a broker that hangs.

A ring that finds no room is left out: the dispatcher finds the row.
"""

import logging
import threading
from collections.abc import Callable
from queue import Full, Queue
from typing import Final

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)
MOST_WAITING: Final = 1000


class Doorbell:
    def __init__(self, ring: Callable[[int], object]) -> None:
        self._ring = ring
        self._waiting: Queue[int] = Queue(MOST_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, job_id: int) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # the first time, and in a child process
                self._thread = threading.Thread(target=self._serve, name="doorbell", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(job_id)
        except Full:
            logger.warning("the broker is too slow; the dispatcher will ring later", extra={"job": job_id})

    def wait(self) -> None:
        """Until all that was rung for is out."""
        self._waiting.join()

    def _serve(self) -> None:
        while True:
            job_id = self._waiting.get()
            try:
                self._ring(job_id)
            except OperationalError:
                logger.warning("the broker does not answer; the dispatcher will ring later", extra={"job": job_id})
            except Exception:
                logger.exception("a ring failed; the dispatcher will ring later", extra={"job": job_id})
            finally:
                self._waiting.task_done()
