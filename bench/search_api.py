"""What finding devices costs a script: over HTTP, with its password, at a process of its own.

And what all of them as a file take of that process' memory, which must not depend on how many there are.
"""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from bench import processes, site
from bench.counters import Database
from bench.processes import Running
from bench.samples import quantile
from bench.site import Site
from bench.telling import Telling

NAME: Final = "bench"
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a database that is thrown away
PAGE: Final = 50
LARGEST: Final = 1000  # records of a page, as who walks through all of them asks for
EXPORTS: Final = (10_000, 100_000)  # and all
MOST_MORE: Final = 128  # megabytes above what the process had before the first; all there are would take gigabytes
COLUMNS: Final = ("page", "first page", "count", "x page", "x count")
OK: Final = 200


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    walls: list[float]
    database: float  # processor time of PostgreSQL for one call; 0 on SQLite, where it is the process' own

    def figures(self) -> dict[str, float]:
        return {"p50": quantile(self.walls, 0.5), "p95": quantile(self.walls, 0.95), "database": self.database}


@dataclass(frozen=True, slots=True)
class Clock:
    database: Database | None

    def times(self, ask: Callable[[int], Any], rounds: int) -> Times:
        """The first time reads from the disk, and does not count."""
        ask(0)
        walls, used = [], self._seconds()
        for number in range(1, rounds + 1):
            started = time.perf_counter()
            ask(number)
            walls.append((time.perf_counter() - started) * 1000)
        return Times(walls, (self._seconds() - used) * 1000 / rounds)

    def _seconds(self) -> float:
        return sum(self.database.cpu().values()) if self.database else 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """One connection, as a client keeps it."""

    connection: HTTPConnection
    headers: Mapping[str, str]

    def get(self, path: str, **asked: Any) -> Any:
        return json.loads(b"".join(self.stream(f"/api/v2/{path}", **asked)))

    def stream(self, path: str, **asked: Any) -> Iterator[bytes]:
        self.connection.request("GET", f"{path}?{urlencode(asked)}", headers=dict(self.headers))
        response = self.connection.getresponse()
        if response.status != OK:
            raise SystemExit(f"{path} was answered with {response.status}: {response.read(500)!r}")
        while piece := response.read(1 << 16):
            yield piece


def measure(
    here: Site, expressions: Mapping[str, str], rounds: int, budget: Mapping[str, float], told: Telling
) -> None:
    with _serving(here) as (script, web), _clock(here) as clock:
        heads = "".join(f"{name + ' p50':>17}    p95    db" for name in COLUMNS)
        told.say(f"\nthe same through the API, and what PostgreSQL computes for one call\n\n{'':32}{heads}   found\n")
        page, counted = budget["page"], budget["count"]
        most = {**budget, "first page": page + counted, "x page": page, "x count": counted}
        line = "".join(f"{most[name]:30.1f}" for name in COLUMNS)
        budgets = {name: {"database": most[name]} for name in COLUMNS}
        told.figure(f"{'budget of the database':32}{line}\n", name="API, budget", **budgets)
        _tell("nothing but a ping", {"page": clock.times(lambda _: script.get("ping"), rounds)}, "", told)
        for name, expression in expressions.items():
            _search(script, clock, name, expression, rounds, told)
        _exports(script, web, told)


def _search(script: Script, clock: Clock, name: str, expression: str, rounds: int, told: Telling) -> None:
    """`first page` and `count` of what nobody has asked for within the minute; `page`: the next ones of it.

    `x`: our own API, whose pages have a cursor and whose counts end at 10,000.
    """
    anew = (f"({' ' * number}{expression or 'common.id > 0'})" for number in count())
    found = script.get("devices/count", query=expression)["totalCount"]
    ask = partial(script.get, limit=PAGE)
    times = {
        "page": clock.times(lambda n: ask("devices", query=expression, offset=n * PAGE % (found or 1)), rounds),
        "first page": clock.times(lambda _: ask("devices", query=next(anew)), rounds),
        "count": clock.times(lambda _: ask("devices/count", query=next(anew)), rounds),
        "x page": clock.times(_pages(partial(ask, "x/devices", query=expression, sort="-last_seen_at")), rounds),
        "x count": clock.times(lambda _: script.get("x/devices/count", query=expression), rounds),
    }
    _tell(name, times, f"{found:,}", told)


def _pages(ask: Callable[..., Any]) -> Callable[[int], None]:
    """One after the other, and from the first again."""
    cursor: dict[str, str] = {}

    def following(_number: int) -> None:
        after = parse_qs(urlsplit(ask(**cursor)["next"] or "").query)
        cursor.clear()
        cursor.update({"cursor": after["cursor"][0]} if after else {})

    return following


def _tell(name: str, times: Mapping[str, Times], found: str, told: Telling) -> None:
    figures = {column: each.figures() for column, each in times.items()}
    shown = [figures.get(column) for column in COLUMNS]
    line = "".join(f"{f['p50']:17.1f} {f['p95']:6.1f} {f['database']:5.1f}" if f else " " * 30 for f in shown)
    told.figure(f"{name:32}{line}   {found}\n", name=f"API, {name}", found=found, **figures)


def _exports(script: Script, web: Running, told: Telling) -> None:
    """How much more memory the process took meanwhile than it had before."""
    from devices.models import Device

    began, peaks = web.megabytes(), {}
    told.say(f"\nbudget of memory: {began + MOST_MORE:.0f} MB, however many rows\n")
    told.say(f"\n{'all of them as a file':32} {'seconds':>9} {'MB more':>9} {'MB at most':>11}   rows\n")
    everybody = Device.objects.order_by("pk").values_list("pk", flat=True)
    portal, script = _signed_in(script), _with_token(script)
    for number in (*(some for some in EXPORTS if some < len(everybody)), len(everybody)):
        query = f"common.id <= {everybody[number - 1]}"
        ways: Mapping[str, Callable[[], int]] = {
            "V2, page after page": partial(_walked, script, query),
            "x, ndjson": partial(_lines, script, "/api/v2/x/devices/export", query=query, retired="true"),
            "x, csv": partial(_lines, script, "/api/v2/x/devices/export", query=query, retired="true", format="csv"),
            "portal, csv": partial(_lines, portal, "/admin/devices", search=query, retired="1", format="csv"),
        }
        for name, way in ways.items():
            before = web.megabytes()
            web.forget_peak()
            started = time.perf_counter()
            rows = way()
            seconds, most = time.perf_counter() - started, web.peak_megabytes()
            if rows - name.endswith("csv") != number:
                raise SystemExit(f"{name}: {rows} rows of {number} devices")
            figures = {"seconds": seconds, "more": most - before, "most": most}
            line = f"{name:32} {seconds:9.1f} {most - before:9.1f} {most:11.1f}   {number:,}\n"
            told.figure(line, name=f"export, {name}", rows=number, **figures)
            peaks[f"{name}, {number:,} rows"] = most
    check(began, peaks)


def check(began: float, peaks: Mapping[str, float]) -> None:
    over = [f"{name}: {most:.0f} MB" for name, most in peaks.items() if most > began + MOST_MORE]
    if over:
        raise SystemExit(f"memory grows with the rows, from {began:.0f} MB on: {'; '.join(over)}")


def _walked(script: Script, query: str) -> int:
    rows, has_more = 0, True
    while has_more:
        page = script.get("devices", query=query, limit=LARGEST, offset=rows)
        rows, has_more = rows + page["resultCount"], page["hasMore"]
    return rows


def _lines(script: Script, path: str, **asked: Any) -> int:
    return sum(piece.count(b"\n") for piece in script.stream(path, **asked))


@contextmanager
def _clock(here: Site) -> Iterator[Clock]:
    database = Database(here.database_url) if here.database_url else None
    try:
        yield Clock(database)
    finally:
        if database:
            database.close()


@contextmanager
def _serving(here: Site) -> Iterator[tuple[Script, Running]]:
    from users.models import AdminRole, User
    from users.services import administrators, people

    people.create(people.NewPerson(user_id=NAME, password=PASSWORD), actor=NAME)
    administrators.set_roles(User.objects.get(user_id=NAME), AdminRole.values, actor=NAME)
    with processes.web(here) as web:
        proof = b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {proof}", "Host": site.HOST, "X-Forwarded-Proto": "https"}
        yield Script(HTTPConnection(urlsplit(web.url).netloc), headers), web


def _with_token(script: Script) -> Script:
    """A password is checked again each minute, which takes 100 MB for a moment."""
    from users.models import AdminRole, User
    from users.services import api_tokens

    scopes = {*AdminRole.values} - {AdminRole.API}
    person = User.objects.get(user_id=NAME)
    _row, token = api_tokens.create(person, name=NAME, scopes=scopes, days=1, actor=NAME)
    return Script(script.connection, {**script.headers, "Authorization": f"Bearer {token}"})


def _signed_in(script: Script) -> Script:
    """As a browser, at the portal."""
    from django.test import Client

    browser = Client(headers={"host": site.HOST})
    browser.post("/admin/sign-in", {"user_id": NAME, "password": PASSWORD}, secure=True)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    kept = {name: value for name, value in script.headers.items() if name != "Authorization"}
    return Script(script.connection, kept | {"Cookie": cookies})
