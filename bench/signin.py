"""Sign-ins that fail, for names that somebody has and names that nobody has: do their times tell them apart?"""

import argparse
import random
import time
from base64 import b64encode
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from bench import calibration, samples, site, telling
from bench.telling import Telling

NAMES: Final = 10  # of each kind; all are as long as each other
REFERENCE: Final = "nobody"
SHEET: Final = "/enroll/sign-in"  # the web sheet of a device that enrolls
API: Final = "/api/v2/ping"  # HTTP Basic
DOORS: Final = ("/admin/sign-in", "/my/sign-in", "/go", SHEET, API)
GUESS: Final = "a guess"
MILLISECONDS: Final = 1e3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="sqlite")
    parser.add_argument("--attempts", type=int, default=1000, help="of each kind of name, at each door")
    parser.add_argument("--door", choices=DOORS, action="append", help="this alone")
    telling.add_argument(parser)


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database) as here:
        about = {"database": here.about, "calibration": calibration.line(), "attempts": options.attempts}
        told = Telling(as_json=options.json, **about)
        told.say(f"{here.about}\n{calibration.line()}; load {calibration.load()}\n")
        names = _people()
        _lift_limits()
        for door in options.door or DOORS:
            _tell(door, _times(door, names, options.attempts), told)
        told.end()


def _people() -> dict[str, list[str]]:
    """The last kind is as much nobody as the first: what differs between these two is chance."""
    from django.contrib.auth.hashers import make_password

    from users.models import User

    hashed, unusable = make_password("the right one"), make_password(None)
    kinds: dict[str, dict[str, Any]] = {
        "local": {"password": hashed},
        "disabled": {"password": hashed, "is_active": False},
        "of LDAP": {"password": unusable, "source": User.Source.LDAP},
        "of a provider": {"password": unusable, "source": User.Source.OIDC},
    }
    every = [*kinds, REFERENCE, "again"]
    names = {kind: [f"{place}{number:04}" for number in range(NAMES)] for place, kind in enumerate(every, 1)}
    for kind, columns in kinds.items():
        User.objects.bulk_create(User(user_id=name, **columns) for name in names[kind])
    return names


def _lift_limits() -> None:
    """They ask the database what they always ask, and let everybody through."""
    from epmm import settings_store
    from users.services import limits

    for setting in (limits.ACCOUNT.most, limits.ACCOUNT.hourly, limits.ALL.most, limits.ALL.hourly):
        assert isinstance(setting.shape, settings_store.Number)  # noqa: S101 - the types know other settings, too
        settings_store.change(setting.name, str(setting.shape.high), actor="bench")


def _times(door: str, names: dict[str, list[str]], attempts: int) -> dict[str, list[float]]:
    attempt = _attempt(door)
    for name in (name for some in names.values() for name in some[:attempts]):
        attempt(name)  # so that its rows are there
    taken: dict[str, list[float]] = {kind: [] for kind in names}
    order = [kind for kind in names for _ in range(attempts)]
    random.shuffle(order)  # whatever else happens on this machine meets all kinds alike
    for kind in order:
        taken[kind].append(attempt(names[kind][len(taken[kind]) % NAMES]))
    return taken


_addresses: Final = count(1)


def _attempt(door: str) -> Callable[[str], float]:
    """How long one takes, from an address of its own; its form was fetched long ago."""
    from django.test import Client

    def attempt(name: str) -> float:
        number = next(_addresses)
        address = f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
        client = Client(headers={"host": "localhost"}, REMOTE_ADDR=address)
        where = _sheet(name, address) if door == SHEET else door
        began = time.perf_counter()
        if door == API:
            answer = client.get(where, secure=True, headers={"authorization": _basic(name)})
        else:
            answer = client.post(where, {"user_id": name, "password": GUESS}, secure=True)
        taken = time.perf_counter() - began
        if answer.status_code != (401 if door == API else 200) or b"is not right" not in answer.content:
            raise SystemExit(f"{door} answered {answer.status_code} for {name}")
        return taken * MILLISECONDS

    return attempt


def _sheet(name: str, address: str) -> str:
    """Of a device that was led here and has asked for its profile."""
    from enrollment.services import trace
    from enrollment.services.sign_in import State

    identifier = f"{name}@{site.HOST}"
    attempt = trace.open_attempt(address=address, identifier=identifier, domain=site.HOST, family="iPhone")
    state = State(
        reference=attempt.reference if attempt is not None else "",
        base_reference="",
        kind="adde",
        identifier=identifier,
        family="iPhone",
    )
    return f"{SHEET}/{state.seal()}"


def _basic(name: str) -> str:
    return "Basic " + b64encode(f"{name}:{GUESS}".encode()).decode()


def _tell(door: str, taken: dict[str, list[float]], told: Telling) -> None:
    told.say(
        f"{door}\n  {'name':14} median    p95    p99 ms   longer than {REFERENCE}   Mann-Whitney   K-S gap       p\n"
    )
    for kind, times in taken.items():
        median, p95, p99 = (samples.quantile(times, share) for share in (0.5, 0.95, 0.99))
        longer, chance = samples.mann_whitney(times, taken[REFERENCE])
        gap, chance_of_gap = samples.kolmogorov_smirnov(times, taken[REFERENCE])
        told.figure(
            f"  {kind:14} {median:6.2f} {p95:6.2f} {p99:6.2f}      {longer:8.3f}         p = {chance:5.3f}"
            f"       {gap:7.3f}   {chance_of_gap:5.3f}\n",
            name=f"{door} {kind}",
            median=median,
            p95=p95,
            p99=p99,
            longer=longer,
            mann_whitney=chance,
            gap=gap,
            kolmogorov_smirnov=chance_of_gap,
        )
