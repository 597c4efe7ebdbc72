"""The faults: each is injected, lasts a while and is healed before its function returns."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.faults.installation import Installation
from bench.faults.kept import Kept
from bench.faults.players import Manner
from bench.site import HERE

LARGEST_FILE: Final = 64 << 10  # while the disk is full: of what is larger nothing grows
HOUR: Final = 3600
NOTICED_SECONDS: Final = 1.2  # libfaketime looks at its file once a second
SLOW: Final = 0.3  # for each piece between product and database
LOCK_SECONDS: Final = 30
BREAKS: Final = 0.15  # of the pieces
# Longer than statements, locks and connections may take, than a ring holds and than the worker may be silent.
SILENT_SECONDS: Final = 90
# Longer than the leases of pushes and of jobs, and than Redis waits for a message to be confirmed (600 s).
FROZEN_SECONDS: Final = 620
FREEZES: Final = 100  # until it is in the middle of something
HELD_SECONDS: Final = 0.1
# What a process may say about a database or a broker that is away.
DATABASE: Final = ("OperationalError", "InterfaceError", "AdminShutdown", "CrashShutdown")
IDLE: Final = ("terminating connection due to idle-in-transaction timeout",)
DISK: Final = ("OSError: [Errno 27]", "could not write to log file")  # the latter of PostgreSQL, as it panics
BROKER: Final = (
    "redis.exceptions.",
    "kombu.exceptions.OperationalError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    # of kombu 5.7, which lost its broker with a message in hand: the worker ends, and is started again
    "AttributeError: 'NoneType' object has no attribute 'hostname'",
)


@dataclass(frozen=True, slots=True)
class Strike:
    installation: Installation
    manner: Manner  # of the devices, before and after
    chance: random.Random
    seconds: float  # how long what lasts does last


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    name: str
    strike: Callable[[Strike], None]
    explains: tuple[str, ...] = ()  # tracebacks that may stand in the logs then, by the kind of the last line
    on_sqlite: bool = True
    needs: str = ""  # a program
    times: int = 3  # in one round
    lasting: float = 0  # seconds, for what outlasts the product's own limits; 0: as long as the plan says


def _kill_gateway(strike: Strike) -> None:
    """One, or all of them."""
    gateways = strike.installation.gateways
    for gateway in strike.chance.sample(gateways, strike.chance.randint(1, len(gateways))):
        gateway.kill()


def _kill_web(strike: Strike) -> None:
    strike.installation.web.kill()


def _kill_worker(strike: Strike) -> None:
    """One, or all of them."""
    workers = strike.installation.workers
    for worker in strike.chance.sample(workers, strike.chance.randint(1, len(workers))):
        worker.kill()


def _freeze_worker(strike: Strike) -> None:
    """One of them stands still in the middle of a transaction; then it goes on, and knows nothing of it."""
    pids = strike.chance.choice(strike.installation.workers).pids
    _signal(pids, signal.SIGSTOP)
    for _ in range(FREEZES):
        time.sleep(2 * HELD_SECONDS)
        if _is_a_transaction_held():
            break
        _signal(pids, signal.SIGCONT)
        time.sleep(strike.chance.uniform(0, HELD_SECONDS))
        _signal(pids, signal.SIGSTOP)
    time.sleep(strike.seconds)
    _signal(pids, signal.SIGCONT)


def _silence_database(strike: Strike) -> None:
    """On SQLite somebody else holds its one lock."""
    wire = strike.installation.wire
    if wire is None:
        _hold_lock(strike)
        return
    wire.is_silent = True
    time.sleep(strike.seconds)
    wire.is_silent = False


def _kill_backend(strike: Strike) -> None:
    """One session's process: PostgreSQL then ends all the others, and recovers from its log."""
    database = _there(strike.installation.database)
    backends = [pid for pid in database.pids if _serves_a_session(pid)]
    if backends:
        os.kill(strike.chance.choice(backends), signal.SIGKILL)


def _kill_database(strike: Strike) -> None:
    """All of PostgreSQL at once, as when its machine loses power and comes back."""
    _there(strike.installation.database).kill(pause=strike.seconds)


def _kill_broker(strike: Strike) -> None:
    """What Redis knew is gone."""
    _there(strike.installation.broker).kill(pause=strike.seconds)


def _fill_disk(strike: Strike) -> None:
    """Of every process but the broker, which has no file; what starts meanwhile finds the disk as full."""
    here = strike.installation
    full = _of_machine(here)
    for kept in full:
        kept.limit_files(LARGEST_FILE)
    try:
        time.sleep(strike.seconds)
    finally:
        for kept in full:
            kept.limit_files(None)


def _move_clock(strike: Strike) -> None:
    """Of product and database, which share a machine here: an hour on, two hours back, an hour on again."""
    here = strike.installation
    prepare_clock(here)
    late = [kept for kept in _of_machine(here) if kept.given != kept.extra]
    with ThreadPoolExecutor(len(late) or 1) as threads:
        list(threads.map(Kept.restart, late))
    here.until_answering()
    for offset in (HOUR, -HOUR, 0):
        _set_clock(here.clock, offset)
        time.sleep(NOTICED_SECONDS + strike.seconds / 2)
    for kept in _of_machine(here):
        kept.extra = {}


def _slow_database(strike: Strike) -> None:
    """Slow, then silent."""
    if wire := strike.installation.wire:
        wire.delay = SLOW
        time.sleep(strike.seconds / 2)
        wire.delay = 0
    _silence_database(strike)


def _stop_database(strike: Strike) -> None:
    """Its processes stand still; what they were asked before that, they do afterwards."""
    pids = _there(strike.installation.database).pids
    _signal(pids, signal.SIGSTOP)
    time.sleep(strike.seconds)
    _signal(pids, signal.SIGCONT)


def _break_connections(strike: Strike) -> None:
    """Between devices and gateways, between product and database: in the middle of questions and of answers."""
    here = strike.installation
    networks = [here.network, *([here.wire] if here.wire else [])]
    for network in networks:
        network.breaks = BREAKS if network is here.network else BREAKS / 10
    for _ in range(4):
        time.sleep(strike.seconds / 4)
        strike.chance.choice(networks).break_all()
    for network in networks:
        network.breaks = 0


def _repeat_requests(strike: Strike) -> None:
    """Every one comes on two connections at once, as from a proxy that did not wait long enough."""
    devices = strike.installation.devices
    devices.behave(replace(strike.manner, twice=1, repeated=0.5))
    time.sleep(strike.seconds)
    devices.behave(strike.manner)


# --- How --------------------------------------------------------------------------------------------------------------


def prepare_clock(here: Installation) -> None:
    """From their next start on the processes have a clock that can be moved."""
    _set_clock(here.clock, 0)
    for kept in _of_machine(here):
        kept.extra = {
            "LD_PRELOAD": str(next(_LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"))),
            "FAKETIME_TIMESTAMP_FILE": str(here.clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a clock that is set leaves that one alone
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # or threads of Python wait too long for each other
            "FAKETIME_DISABLE_SHM": "1",  # each process for itself: one that is killed would leave its lock behind
            "PYTHONPATH": str(Path(__file__).with_name("faked")),  # sitecustomize.py
        }


def _of_machine(here: Installation) -> Sequence[Kept]:
    """What shares its clock and its disk."""
    return (*here.product, *([here.database] if here.database else []))


def _set_clock(clock: Path, offset: int) -> None:
    clock.write_text(f"{offset:+d}\n")
    clock.chmod(0o644)  # also PostgreSQL's account goes by it


def _hold_lock(strike: Strike) -> None:
    from django.conf import settings

    connection = sqlite3.connect(settings.DATABASES["default"]["NAME"], isolation_level=None, timeout=LOCK_SECONDS)
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(strike.seconds)
    connection.execute("ROLLBACK")
    connection.close()


def _serves_a_session(pid: int) -> bool:
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(b"postgres: ") and HERE.encode() in title


def _is_a_transaction_held() -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        held = "state = 'idle in transaction' AND clock_timestamp() - state_change > %s * interval '1 second'"
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {held}", [HELD_SECONDS])  # noqa: S608
        return bool(cursor.fetchone()[0])


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _there(kept: Kept | None) -> Kept:
    if kept is None:
        raise SystemExit("this fault needs PostgreSQL and Redis")
    return kept


_LIBRARIES: Final = Path("/usr/lib")
ALL: Final = (
    Kind(name="gateway", strike=_kill_gateway),
    Kind(name="web", strike=_kill_web),
    Kind(name="worker", strike=_kill_worker),
    Kind(name="backend", strike=_kill_backend, explains=DATABASE, on_sqlite=False),
    Kind(name="database", strike=_kill_database, explains=DATABASE, on_sqlite=False),
    Kind(name="broker", strike=_kill_broker, explains=BROKER, on_sqlite=False),
    Kind(name="disk", strike=_fill_disk, explains=(*DATABASE, *DISK)),
    Kind(name="clock", strike=_move_clock, explains=(*DATABASE, *IDLE), needs="faketime", times=1),
    Kind(name="slow", strike=_slow_database, explains=DATABASE),
    Kind(name="stopped", strike=_stop_database, explains=DATABASE, on_sqlite=False),
    Kind(name="dropped", strike=_break_connections, explains=DATABASE),
    Kind(name="repeated", strike=_repeat_requests),
    Kind(name="silent", strike=_silence_database, explains=(*DATABASE, *IDLE), times=1, lasting=SILENT_SECONDS),
    Kind(
        name="frozen",
        strike=_freeze_worker,
        explains=(*DATABASE, *IDLE),
        on_sqlite=False,
        times=1,
        lasting=FROZEN_SECONDS,
    ),
)
BY_NAME: Final = {kind.name: kind for kind in ALL}


def possible(database: str) -> list[Kind]:
    return [kind for kind in ALL if kind.on_sqlite or database == "postgresql"]
