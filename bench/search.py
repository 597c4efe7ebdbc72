"""What finding devices costs: pages and capped counts of typical expressions."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bench import calibration, search_api, site, telling
from bench.search_rows import seed
from bench.telling import Telling
from epmm import collector

WANTED: Final = "common.retired = false AND ios.account_driven_device_enrolled = true AND common.os_version >= 17.4"
EXPRESSIONS: Final = {
    "e-mail, whole": f'{WANTED} AND user.email_address = "user4321@corp1.example"',
    "e-mail '@x', 10 % of people": f'{WANTED} AND user.email_address contains "@x"',
    "e-mail '@xcorp1', 2.8 %": f'{WANTED} AND user.email_address contains "@xcorp1"',
    "e-mail 'user1234', 0.03 %": f'{WANTED} AND user.email_address contains "user1234"',
    "e-mail that nobody has": f'{WANTED} AND user.email_address contains "nosuchperson"',
    "no e-mail, 20 % of devices": WANTED,
    "rare status and model": "common.status = WIPE_PENDING AND common.model = iPhone17,1",
    "serial number, part of 4": "SerialNumber contains 00F3",
    "serial number, whole": "SerialNumber = TEST0000A123",
    "a lone word": "user4321",
    "address, whole": "common.ip_address = 10.1.134.162",
    "country, nearly all": f'{WANTED} AND common.home_country_name = "Germany"',
    "country, 0.1 %": f'{WANTED} AND common.home_country_name = "Liechtenstein"',
    "UUID": 'common.uuid = "00000000-0000-4000-8000-000000000000"',
    "everything": "",
}
ROUNDS: Final = 15
PAGE: Final = 50
DEEP: Final = 40  # pages
# A server that looks after so many devices has memory; 128 MB, the default, hold a quarter of the table.
SERVER: Final = ("shared_buffers=1GB",)
BUDGET: Final = {"page": 10, "count": 50}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--devices", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--explain", action="store_true", help="print the plan of each page")
    parser.add_argument("--api", action="store_true", help="the same through the API, and exports with their memory")
    telling.add_argument(parser)


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database, server=SERVER) as here:
        started = time.perf_counter()
        seed(options.devices)
        seconds = time.perf_counter() - started
        collector.spare()  # as the server does
        told = Telling(as_json=options.json, database=here.about, devices=options.devices, budget_ms=BUDGET)
        told.say(f"{here.about}, {', '.join(SERVER)}\n{calibration.line()}\n")
        told.say(f"{options.devices:,} devices, seeded in {seconds:.0f} s\n")
        told.say(
            f"budget of the database at 1,000,000 on PostgreSQL, p95: page {BUDGET['page']} ms, "
            f"capped count {BUDGET['count']} ms\n"
        )
        told.say("of each the whole, objects and all, and what the database took; then how fast the machine was\n")
        told.say(f"{'':32} {'page p50':>12} {'p95':>12} {'count p50':>12} {'p95':>12} {'plistlib':>9}   found\n")
        times: dict[str, list[Taken]] = {"page": [], "count": []}
        for name, expression in EXPRESSIONS.items():
            _measure(name, expression, options, times, told)
        _deep(times, told)
        for name, every in times.items():
            there = [each.where_budgets_were_set() for each in every]
            line = f"all of them, {name}: p95 {_written(_p95, every)} ms\n"
            told.figure(line, name=f"all, {name}", p95=_told(_p95, every))
            line = f"  by the calibrations: {_written(_p95, there)} ms, budget {BUDGET[name]} ms of the database\n"
            told.figure(line, name=f"all, {name}, by the calibrations", p95=_told(_p95, there))
        if options.api:
            search_api.measure(here, EXPRESSIONS, options.rounds, BUDGET, told)
        told.end()


def _page(expression: str, after: str = "") -> Any:
    """As `/api/v2/x/devices` reads it, without the API around it."""
    from devices.api.x.devices import OF_DEVICE, OF_PERSON
    from devices.services import record_pages, search
    from epmm.portal.keyset import Order
    from users.models import User

    found, people = search.matching(expression).only(*OF_DEVICE), User.objects.only(*OF_PERSON)
    order = Order("last_seen_at", is_descending=True)
    return record_pages.following(found, order, size=PAGE, after=after, with_retired=False, people=people)


def _measure(
    name: str, expression: str, options: argparse.Namespace, times: dict[str, list["Taken"]], told: Telling
) -> None:
    from devices.services import search

    if options.explain:
        _explain(expression, told)
    speed = calibration.plistlib_microseconds()
    pages = list(_timed(lambda: _page(expression), options.rounds, speed))
    counts = list(_timed(lambda: search.count(expression), options.rounds, speed))
    times["page"] += pages
    times["count"] += counts
    found = search.count(expression)
    check(name, len(_page(expression).rows), min(found.number, PAGE))
    told.figure(
        f"{name:32} {_written(statistics.median, pages)} {_written(_p95, pages)} "
        f"{_written(statistics.median, counts)} {_written(_p95, counts)} {speed:9.0f}   {found}\n",
        name=name,
        calibration_us=speed,
        found=str(found),
        page={"p50": _told(statistics.median, pages), "p95": _told(_p95, pages)},
        count={"p50": _told(statistics.median, counts), "p95": _told(_p95, counts)},
    )


def check(name: str, on_page: int, counted: int) -> None:
    if on_page != counted:
        raise SystemExit(f"{name}: {on_page} on the first page, and {counted} counted")


def _deep(times: dict[str, list["Taken"]], told: Telling) -> None:
    """Page after page: the last costs what the first does."""
    after, taken, speed = "", [], calibration.plistlib_microseconds()
    for _ in range(DEEP):
        page, milliseconds = _taken(partial(_page, WANTED, after), speed)
        taken.append(milliseconds)
        after = page.after
    times["page"] += taken
    name = f"{DEEP} pages, one after the other"
    line = f"{name:32} {_written(statistics.median, taken)} {_written(_p95, taken)}\n"
    told.figure(line, name=name, page={"p50": _told(statistics.median, taken), "p95": _told(_p95, taken)})


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds."""

    whole: float
    database: float
    calibration: float  # microseconds, just before

    def where_budgets_were_set(self) -> "Taken":
        slower = self.calibration / calibration.REFERENCE
        return Taken(self.whole / slower, self.database / slower, calibration.REFERENCE)


def _timed(work: Callable[[], Any], rounds: int, speed: float) -> Iterator[Taken]:
    """The first time reads the pages from the disk, and does not count."""
    work()
    for _ in range(rounds):
        yield _taken(work, speed)[1]


def _taken(work: Callable[[], Any], speed: float) -> tuple[Any, Taken]:
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
    return result, Taken((time.perf_counter() - started) * 1000, sum(statements) * 1000, speed)


def _written(measure: Callable[[list[float]], float], taken: list[Taken]) -> str:
    told = _told(measure, taken)
    return f"{told['whole']:6.1f} {told['database']:5.1f}"


def _told(measure: Callable[[list[float]], float], taken: list[Taken]) -> dict[str, float]:
    return {"whole": measure([each.whole for each in taken]), "database": measure([each.database for each in taken])}


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def _explain(expression: str, told: Telling) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from devices.services import search

    with CaptureQueriesContext(connection) as queries:
        _page(expression)
        search.count(expression)
    for query in queries:
        if query["sql"].startswith("SELECT") and "devices_device" in query["sql"]:
            with connection.cursor() as cursor:
                prefix = "EXPLAIN (ANALYZE, BUFFERS)" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
                cursor.execute(f"{prefix} {query['sql']}")
                told.say("".join(f"    {row[-1] if connection.vendor == 'sqlite' else row[0]}\n" for row in cursor))
