"""What finding devices costs: pages and capped counts of typical expressions."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bench import calibration, site
from bench.search_rows import seed

out: Final = sys.stdout.write
WANTED: Final = "common.retired = false AND ios.account_driven_device_enrolled = true AND common.os_version >= 17.4"
EXPRESSIONS: Final = {
    "e-mail '@x', 10 % of people": f'{WANTED} AND user.email_address contains "@x"',
    "e-mail '@xcorp1', 2.8 %": f'{WANTED} AND user.email_address contains "@xcorp1"',
    "e-mail 'user1234', 0.03 %": f'{WANTED} AND user.email_address contains "user1234"',
    "e-mail that nobody has": f'{WANTED} AND user.email_address contains "nosuchperson"',
    "no e-mail, 20 % of devices": WANTED,
    "rare status and model": "common.status = WIPE_PENDING AND common.model = iPhone17,1",
    "serial number, part of 4": "SerialNumber contains 00F3",
    "serial number, whole": "SerialNumber = TEST0000A123",
    "a lone word": "user4321",
    "UUID": 'common.uuid = "00000000-0000-4000-8000-000000000000"',
    "everything": "",
}
ROUNDS: Final = 15
DEEP: Final = 40  # pages
# A server that looks after so many devices has memory; 128 MB, the default, hold a quarter of the table.
SERVER: Final = ("shared_buffers=1GB",)
BUDGET: Final = {"page": 10, "count": 50}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--devices", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--explain", action="store_true", help="print the plan of each page")


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database, server=SERVER) as here:
        started = time.perf_counter()
        seed(options.devices)
        seconds = time.perf_counter() - started
        out(f"{here.about}, {', '.join(SERVER)}\n{calibration.line()}\n")
        out(f"{options.devices:,} devices, seeded in {seconds:.0f} s\n")
        out(f"budget at 1,000,000 on PostgreSQL, p95: page {BUDGET['page']} ms, capped count {BUDGET['count']} ms\n")
        out("of each the whole, objects and all, and what the database took\n")
        out(f"{'':32} {'page p50':>12} {'p95':>12} {'count p50':>12} {'p95':>12}   found\n")
        times: dict[str, list[Taken]] = {"page": [], "count": []}
        for name, expression in EXPRESSIONS.items():
            _measure(name, expression, options, times)
        _deep(times)
        for name, every in times.items():
            out(f"all of them, {name}: p95 {_written(_p95, every)} ms, budget {BUDGET[name]} ms\n")


def _measure(name: str, expression: str, options: argparse.Namespace, times: dict[str, list["Taken"]]) -> None:
    from devices.services import search

    if options.explain:
        _explain(expression)
    pages = list(_timed(lambda: search.find(expression), options.rounds))
    counts = list(_timed(lambda: search.count(expression), options.rounds))
    times["page"] += pages
    times["count"] += counts
    out(
        f"{name:32} {_written(statistics.median, pages)} {_written(_p95, pages)} "
        f"{_written(statistics.median, counts)} {_written(_p95, counts)}   {search.count(expression)}\n"
    )


def _deep(times: dict[str, list["Taken"]]) -> None:
    """Page after page: the last costs what the first does."""
    from devices.services import search

    after, taken = "", []
    for _ in range(DEEP):
        page, milliseconds = _taken(partial(search.find, WANTED, after=after))
        taken.append(milliseconds)
        after = page.after or ""
    times["page"] += taken
    name = f"{DEEP} pages, one after the other"
    out(f"{name:32} {_written(statistics.median, taken)} {_written(_p95, taken)}\n")


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds."""

    whole: float
    database: float


def _timed(work: Callable[[], Any], rounds: int) -> Iterator[Taken]:
    """The first time reads the pages from the disk, and does not count."""
    work()
    for _ in range(rounds):
        yield _taken(work)[1]


def _taken(work: Callable[[], Any]) -> tuple[Any, Taken]:
    from django.db import connection

    statements: list[float] = []

    def clocked(execute: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            statements.append(time.perf_counter() - started)

    started = time.perf_counter()
    with connection.execute_wrapper(clocked):
        result = work()
    return result, Taken((time.perf_counter() - started) * 1000, sum(statements) * 1000)


def _written(measure: Callable[[list[float]], float], taken: list[Taken]) -> str:
    whole, database = measure([each.whole for each in taken]), measure([each.database for each in taken])
    return f"{whole:6.1f} {database:5.1f}"


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def _explain(expression: str) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from devices.services import search

    with CaptureQueriesContext(connection) as queries:
        search.find(expression)
        search.count(expression)
    for query in queries:
        if query["sql"].startswith("SELECT") and "devices_device" in query["sql"]:
            with connection.cursor() as cursor:
                prefix = "EXPLAIN (ANALYZE, BUFFERS)" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
                cursor.execute(f"{prefix} {query['sql']}")
                out("".join(f"    {row[-1] if connection.vendor == 'sqlite' else row[0]}\n" for row in cursor))
