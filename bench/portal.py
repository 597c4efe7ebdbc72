"""What the pages of the portal cost: statements, bytes and time of each, on an installation that has been used."""

import argparse
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from bench import calibration, portal_rows, site
from bench.counters import Database
from bench.portal_pages import walk
from bench.portal_seen import ALL_COLUMNS, Answer, Ask, Visit
from epmm import collector

out: Final = sys.stdout.write
ROUNDS: Final = 20
SERVER: Final = ("shared_buffers=1GB",)
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a database that is thrown away
MOST_STATEMENTS: Final = 12
MOST_BYTES: Final = 60_000
MOST_MS: Final = 50
FOUND: Final = 302
OK: Final = 200


def excess(told: str, *, statements: int, size: int) -> list[str]:
    """What is over; it depends on no machine."""
    found = {
        "statements": statements > MOST_STATEMENTS,
        "bytes": size > MOST_BYTES and told != ALL_COLUMNS,  # how wide a list is its reader chooses
    }
    return [name for name, is_over in found.items() if is_over]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    statements: int
    bytes: int
    median: float  # milliseconds, as the next two
    p95: float
    cpu: float
    database: float  # processor time of PostgreSQL; on SQLite it is part of the other
    calibration: float  # microseconds, of just before and just after
    over: list[str]

    @property
    def faster(self) -> float:
        """How many times as fast things are where the budgets were set."""
        return self.calibration / calibration.REFERENCE

    @property
    def slow(self) -> list[str]:
        most = MOST_MS * self.faster
        found = {"median": self.median > most, "p95": self.p95 > most}
        return [name for name, is_over in found.items() if is_over][:1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--devices", type=int, default=200_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="pages whose name begins so")
    parser.add_argument("--statements", action="store_true", help="print the statements of each page, with their time")
    parser.add_argument("--json", action="store_true")


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database, server=SERVER) as here, _database(here) as database:
        browser = _Browser(here)  # first: what is of earlier than an account is none of its own
        started = time.perf_counter()
        seeded = portal_rows.seed(options.devices, options.users)
        seconds = time.perf_counter() - started
        about = {
            "database": here.about,
            "calibration": calibration.line(),
            "load": calibration.load(),
            "rows": f"{options.devices:,} devices, {options.users:,} people, seeded in {seconds:.0f} s",
            "budget": f"{MOST_STATEMENTS} statements, {MOST_BYTES:,} bytes, {MOST_MS} ms there: by us",
        }
        if not options.json:
            out("".join(f"{name}: {value}\n" for name, value in about.items()) + HEADING)
        told = list(_measured(browser, seeded, database, options))
        if options.json:
            out(json.dumps({**about, "pages": told}, indent=2) + "\n")
    if over := [each for each in told if each["over"]]:
        raise SystemExit(f"over the budget in statements or bytes: {len(over)} of {len(told)}")


def _measured(
    browser: "_Browser", seeded: Any, database: Database | None, options: argparse.Namespace
) -> Iterator[Any]:
    visits = [visit for visit in walk(browser.fetch, seeded) if visit.is_page and visit.page.startswith(options.only)]
    collector.spare()
    for visit in visits:
        browser.confirm()
        cost = _cost(browser, visit, database, options)
        if not options.json:
            _say(visit, cost)
        asked = {"page": visit.page, "told": visit.told, "path": visit.ask.path, "status": visit.answer.status}
        figures = {name: getattr(cost, name) for name in Cost.__dataclass_fields__}
        yield asked | figures | {"over": cost.over, "slow": cost.slow}


def _cost(browser: "_Browser", visit: Visit, database: Database | None, options: argparse.Namespace) -> Cost:
    """Counted once, then timed without being counted."""
    statements, answer = _counted(browser, visit.ask, is_told=options.statements)
    speed = calibration.plistlib_microseconds()
    walls, before, cpu = [], _seconds(database), time.process_time()
    for _ in range(options.rounds):
        started = time.perf_counter()
        status = browser.fetch(visit.ask).status
        walls.append((time.perf_counter() - started) * 1000)
        if status != visit.answer.status:
            raise SystemExit(f"{visit.ask.path} was answered with {visit.answer.status}, and then with {status}")
    each = 1000 / options.rounds
    cpu, used = time.process_time() - cpu, _seconds(database) - before
    size = len(answer.body.encode())
    return Cost(
        statements=statements,
        bytes=size,
        median=statistics.median(walls),
        p95=sorted(walls)[int(len(walls) * 0.95)],
        cpu=cpu * each,
        database=used * each,
        calibration=(speed + calibration.plistlib_microseconds()) / 2,
        over=excess(visit.told, statements=statements, size=size),
    )


def _counted(browser: "_Browser", ask: Ask, *, is_told: bool) -> tuple[int, Answer]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from enrollment.services import overview
    from epmm import options, settings_store

    settings_store.clear_cache()
    settings_store.read(options.IDLE_MINUTES)  # a process does so once a second, whichever page it shows
    overview.forget()
    with CaptureQueriesContext(connection) as queries:
        answer = browser.fetch(ask)
    if is_told:
        out(f"{ask.path}\n" + "".join(f"    {query['time']} {query['sql']}\n" for query in queries))
    return len(queries), answer


@contextmanager
def _database(here: site.Site) -> Iterator[Database | None]:
    if not here.database_url:
        yield None
        return
    database = Database(here.database_url)
    yield database
    database.close()


def _seconds(database: Database | None) -> float:
    return sum(database.cpu().values()) if database else 0.0


class _Browser:
    """An administrator's, at the very handler that the gateway calls; each request comes from another address."""

    def __init__(self, here: site.Site) -> None:
        from epmm.wsgi import application  # sets up Django and its log anew
        from users.models import AdminRole, User
        from users.services import administrators, people

        site.quieten(here.directory)
        self._application: Any = application
        self._cookies: SimpleCookie = SimpleCookie()
        self._token = ""
        people.create(people.NewPerson(user_id="admin", display_name="Admin", password=PASSWORD), actor="bench")
        administrators.set_roles(User.objects.get(user_id="admin"), AdminRole.values, actor="bench")
        self.fetch(Ask("/admin/sign-in"))
        self.fetch(Ask("/admin/sign-in", {"user_id": "admin", "password": PASSWORD}))
        if self.fetch(Ask("/admin/account")).status != OK:
            raise SystemExit("the administrator could not sign in")

    def confirm(self) -> None:
        """Pages that ask who is at the keyboard do so again after five minutes."""
        if self.fetch(Ask("/admin/confirm", {"password": PASSWORD})).status != FOUND:
            raise SystemExit("the administrator could not confirm who it is")

    def fetch(self, ask: Ask) -> Answer:
        answered: list[Any] = []
        response = self._application(self._environment(ask), lambda *told: answered.extend(told[:2]))
        body = b"".join(response).decode()
        response.close()
        status, headers = answered
        for name, value in headers:
            if name == "Set-Cookie":
                self._cookies.load(value)
        if found := re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', body):
            self._token = found[1]
        return Answer(int(status.split()[0]), body)

    def _environment(self, ask: Ask) -> dict[str, Any]:
        where = urlsplit(ask.path)
        body = b"" if ask.sent is None else urlencode(ask.sent, doseq=True).encode()
        own = f"https://{site.HOST}"
        return {
            "REQUEST_METHOD": "GET" if ask.sent is None else "POST",
            "PATH_INFO": where.path,
            "QUERY_STRING": where.query,
            "SERVER_NAME": site.HOST,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": f"10.{random.randrange(256)}.{random.randrange(256)}.1",  # noqa: S311 - no secret
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_HOST": site.HOST,
            "HTTP_COOKIE": "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items()),
            "HTTP_ORIGIN": own,
            "HTTP_REFERER": f"{own}{ask.path}",
            "HTTP_X_CSRFTOKEN": self._token,
            "HTTP_X_POLL": "1",  # else one request a minute begins idle time anew, and would be the one that is counted
            "wsgi.url_scheme": "https",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
        }


HEADING: Final = (
    f"{'page':<58}{'statements':>10}{'bytes':>9}{'ms p50':>8}{'p95':>7}{'cpu':>7}{'db':>6}{'us':>5}{'there':>7}  over\n"
)


def _say(visit: Visit, cost: Cost) -> None:
    name = f"{visit.page} {visit.told}".strip()[:57]
    over = ", ".join([*cost.over, *cost.slow])
    out(
        f"{name:<58}{cost.statements:>10}{cost.bytes:>9,}{cost.median:>8.1f}{cost.p95:>7.1f}{cost.cpu:>7.1f}"
        f"{cost.database:>6.1f}{cost.calibration:>5.0f}{cost.median / cost.faster:>7.1f}  {over}\n"
    )
    sys.stdout.flush()
