"""Work that waits in tables of its own: a worker has threads for it that no job gets, and needs no broker for it.

So neither jobs that take hours, nor a mail server that hangs, nor a broker that is away keeps answers and pushes
waiting (decision 74).
"""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from time import sleep
from typing import Final

from django.db import close_old_connections

from epmm import dispatcher, jobs
from epmm.models import at_work

logger = logging.getLogger(__name__)
REST_AFTER_FAILURE_SECONDS: Final = 2.0


class Outboxes:
    def __init__(self) -> None:
        # one for each, of which those alone are begun that are needed at the same time
        self._threads = ThreadPoolExecutor(max(1, len(jobs.OUTBOXES)), thread_name_prefix="outbox")
        self._at_work: dict[str, Future[None]] = {}

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, and what is at work then has ended."""
        with self._threads:
            dispatcher.look_until(stop, self.look)

    def look(self) -> None:
        """Have worked off what waits.  Its rows are locked one by one; here one at a time is enough."""
        for kind, waiting in jobs.OUTBOXES.items():
            if (at_it := self._at_work.get(kind)) is not None and not at_it.done():
                continue
            if waiting():
                self._at_work[kind] = self._threads.submit(drain, kind)


def drain(kind: str) -> None:
    try:
        close_old_connections()
        with at_work():
            jobs.run(kind, {})
    except Exception:
        logger.exception("an outbox could not be worked off", extra={"kind": kind})
        sleep(REST_AFTER_FAILURE_SECONDS)
    finally:
        close_old_connections()
