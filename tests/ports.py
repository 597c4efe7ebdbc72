"""Ports that nothing else takes between finding and listening: below those of outgoing connections, apart by worker."""

import itertools
import os
import random
import socket
from collections.abc import Iterator
from typing import Final

EACH: Final = 1000  # ports for each worker of the run
LOWEST: Final = 12_000


def _turns() -> Iterator[int]:
    """Each once before any comes again: who asks for two before listening at the first gets two."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
    first = LOWEST + worker * EACH
    return itertools.cycle(random.sample(range(first, first + EACH), EACH))


_ports: Final = _turns()


def free_port() -> int:
    for port in itertools.islice(_ports, EACH):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise RuntimeError("no port is free")
