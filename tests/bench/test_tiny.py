"""Each measurement at its smallest: it runs, tells what it measured, and fails where that is not true."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bench import digest, enroll, fleet_declared, fleet_rows, push, search, search_api
from bench.answers import TOLD
from devices.models import Device
from devices.protocol.push import Outcome, Verdict
from tests.devices.services.rows import enrolled
from tests.epmm.processes import ROOT

SQLITE = "--database=sqlite"
KINDS = ("local", "disabled", "of LDAP", "of a provider", "nobody", "again")


@pytest.mark.service("sqlite")
@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("push", "--pushes=50", "--rounds=1"), ["round", "median"]),
        (("search", SQLITE, "--devices=60", "--rounds=1"), [*search.EXPRESSIONS, "40 pages, one after the other"]),
        (("digest", SQLITE, "--devices=2", "--applications=10"), ["property list", "typed values"]),
        (("fleet", SQLITE, "--devices=3", "--every=0.2", "--minutes=2"), ["all", "gateway", "worker", "devices"]),
        (
            ("fleet", "--declarations", SQLITE, "--devices=3", "--every=0.2", "--minutes=2"),
            ["all", "gateway", "worker", "devices"],
        ),
        (
            ("signin", SQLITE, "--attempts=1", "--door=/enroll/sign-in", "--door=/api/v2/ping"),
            [f"{door} {kind}" for door in ("/enroll/sign-in", "/api/v2/ping") for kind in KINDS],
        ),
        (("enroll", SQLITE, "--devices=2", "--at-once=2"), ["all", "gateway", "worker", "devices"]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_it_measures_and_tells_in_one_object(options: tuple[str, ...], names: list[str]) -> None:
    command = [sys.executable, "-m", "bench", *options, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)

    assert (done.returncode, done.stderr) == (0, "")
    figures: list[dict[str, Any]] = json.loads(done.stdout)["figures"]
    assert [figure["name"] for figure in figures][: len(names)] == names
    numbers = [value for figure in figures for value in figure.values() if isinstance(value, float)]
    assert all(value >= 0 for value in numbers)


@pytest.mark.service("sqlite", "slapd")
def test_a_directory_is_synced_killed_and_synced_on() -> None:
    command = [sys.executable, "-m", "bench", "directory", SQLITE, "--people=1000", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)

    assert (done.returncode, done.stderr) == (0, "")
    killed, goes_on, *_again = json.loads(done.stdout)["figures"]
    assert (killed["name"], goes_on["name"]) == ("killed halfway", "goes on to the end")


def test_it_speaks_to_people_as_it_goes() -> None:
    command = [sys.executable, "-m", "bench", "push", "--pushes=50", "--rounds=1"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=180)

    assert "50 accepted," in done.stdout
    assert "us CPU a push" in done.stdout.splitlines()[-1]


def refused() -> None:
    accepted = Outcome(kind=Verdict.ACCEPTED, status=200, reason="", apns_id="")
    push.check([accepted])
    push.check([accepted, Outcome(kind=Verdict.BAD_TOKEN, status=400, reason="BadDeviceToken", apns_id="")])


def an_answer_that_was_set_aside() -> None:
    enrolled(os_version=TOLD["OSVersion"])
    digest.check(1, 0)
    Device.objects.update(os_version="1.0")
    digest.check(1, 0)


def a_page_that_is_short() -> None:
    search.check("everything", 50, 50)
    search.check("everything", 49, 50)


def an_export_that_holds_its_rows() -> None:
    search_api.check(130, {"x, csv, 10,000 rows": 180, "x, csv, 100,000 rows": 130 + search_api.MOST_MORE})
    search_api.check(130, {"x, csv, 10,000 rows": 180, "x, csv, 100,000 rows": 400})


def a_device_without_inventory() -> None:
    enrolled()
    enroll.check(1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (refused, "1 of 2 pushes were not accepted: 400 BadDeviceToken"),
        (an_answer_that_was_set_aside, "0 records are up to date and list 0 applications"),
        (a_page_that_is_short, "everything: 49 on the first page, and 50 counted"),
        (an_export_that_holds_its_rows, "memory grows with the rows, from 130 MB on: x, csv, 100,000 rows: 400 MB"),
        (a_device_without_inventory, "1 of 1 devices are enrolled, and 0 have an inventory"),
        (lambda: fleet_rows.check(1), "0 records are up to date, of 1"),
        (lambda: fleet_declared.check(1), "0 of 1 devices have applied the declaration, and 0 are behind"),
    ],
    ids=["push", "digest", "search", "export", "enroll", "fleet", "declarations"],
)
def test_what_is_not_true_is_no_measurement(harm: Callable[[], None], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        harm()
