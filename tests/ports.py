"""Ports that nothing else takes between finding and listening: below those of outgoing connections, apart by worker."""

import os
import random
import socket
from typing import Final

EACH: Final = 1000  # ports for each worker of the run
LOWEST: Final = 12_000


def free_port() -> int:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
    first = LOWEST + worker * EACH
    for port in random.sample(range(first, first + EACH), EACH):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise RuntimeError("no port is free")
