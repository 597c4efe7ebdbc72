"""A directory of many people from a real LDAP server, synced and mapped: time, memory, and nothing written twice."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

from bench import calibration, site, telling
from bench.site import ROOT, Site
from bench.telling import Telling

MOST_MIB: Final = 512
CHANGED: Final = 100  # one person in so many
NAME: Final = "Bench"
SYNC: Final = ("sync_directory", NAME, "--json")
EXPORT: Final = """
import json
from django.test import RequestFactory
from users.models import Directory, User
from users.views import account_preview
request = RequestFactory().get("/", {"format": "csv"})
request.user = User(user_id="bench")
content = account_preview.of_directory(request, Directory.objects.get().pk)
print(json.dumps({"counts": {"lines": sum(part.count(b"\\n") for part in content)}}))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="sqlite")
    parser.add_argument("--people", type=int, default=100_000)
    telling.add_argument(parser)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    seconds: float
    processor: float  # seconds of it
    mib: float  # at most, of the process that syncs
    counts: dict[str, int]
    status: int


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database) as here:
        about = {"database": here.about, "calibration": calibration.line(), "people": options.people}
        told = Telling(as_json=options.json, **about)
        told.say(f"{here.about}\n{calibration.line()}; budget {MOST_MIB} MiB\n")
        _measure(here, options.people, told)
        told.end()


def _measure(here: Site, people: int, told: Telling) -> None:
    from tests import directories
    from users.models import Group

    with directories.running(here.directory / "slapd", ldif=_ldif(people)) as server:
        directory = directories.directory(server, NAME, searched_attributes=["departmentNumber"])
        _choose(directory, ["everybody", "nested"])
        killed = _run(here, kill_at=people // 2)
        _tell("killed halfway", killed, told)
        _free()
        first = _run(here)
        _tell("goes on to the end", first, told)
        _check(first, people=people)
        _tell("all accounts as CSV", exported := _run(here, "shell", "--no-imports", "--command", EXPORT), told)
        if exported.counts != {"lines": people + 1}:
            raise SystemExit(f"{exported.counts} for {people} people")
        _tell("again, changes alone", unchanged := _run(here), told)
        _check_nothing(unchanged)
        _forget_when_all_were_read()
        _tell("again, all", unchanged := _run(here), told)
        _check_nothing(unchanged)
        _change(server, people)
        _tell(f"one in {CHANGED} changed", changed := _run(here), told)
        expected = len(range(0, people, CHANGED))
        if changed.counts.get("changed") != expected:
            raise SystemExit(f"{changed.counts} were changed, of {expected}")
        sizes = {group.name: group.memberships.count() for group in Group.objects.all()}
        if sizes != {"everybody": people, "nested": people}:
            raise SystemExit(f"members: {sizes}")


def _ldif(people: int) -> str:
    from tests.directories import GROUPS, PEOPLE, people_ldif

    members = "".join(f"member: uid=p{number},{PEOPLE}\n" for number in range(people))
    everybody = f"dn: cn=everybody,{GROUPS}\nobjectClass: groupOfNames\ncn: everybody\n{members}\n"
    nested = f"dn: cn=nested,{GROUPS}\nobjectClass: groupOfNames\ncn: nested\nmember: cn=everybody,{GROUPS}\n\n"
    return people_ldif(people) + everybody + nested


def _choose(directory: Any, names: list[str]) -> None:
    from tests.directories import GROUPS
    from users.models import Group
    from users.services.directory import client, groups

    with client.connected(directory) as connection:
        for name in names:
            groups.choose(connection, f"cn={name},{GROUPS}", Group.Kind.GROUP, actor="bench")


def _run(here: Site, *deed: str, kill_at: int = 0) -> Run:
    """A process of its own, as the worker is; with `kill_at` killed when so many people are there."""
    command = [sys.executable, "manage.py", *(deed or SYNC)]
    site.close_connections()
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**here.environment}, stdout=subprocess.PIPE)
    if kill_at:
        _wait_for(kill_at, process)
        process.send_signal(signal.SIGKILL)
    if process.stdout is None:
        raise RuntimeError
    said = process.stdout.read()
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not kill_at:
        raise SystemExit(f"the sync ended with {process.returncode}")
    counts = json.loads(said)["counts"] if said else {}
    return Run(
        seconds=time.perf_counter() - began,
        processor=used.ru_utime + used.ru_stime,
        mib=used.ru_maxrss / 1024,
        counts=counts,
        status=process.returncode,
    )


def _wait_for(people: int, process: subprocess.Popen[bytes]) -> None:
    from users.models import User

    while User.objects.count() < people:
        if process.poll() is not None:
            raise SystemExit("the sync ended before it was to be killed")
        time.sleep(0.05)  # half of a small directory takes less than a second


def _free() -> None:
    """What the lease of a killed process does after five minutes."""
    from epmm.models import Job

    Job.objects.open().update(lease_until=None)


def _forget_when_all_were_read() -> None:
    from users.models import DirectorySync

    DirectorySync.objects.update(full_at=None)


def _change(server: Any, people: int) -> None:
    import ldap

    from tests.directories import PEOPLE

    handle = server.administrator()
    for number in range(0, people, CHANGED):
        handle.modify_s(f"uid=p{number},{PEOPLE}", [(ldap.MOD_REPLACE, "givenName", [b"Q"])])
    handle.unbind_s()


def _tell(name: str, run: Run, told: Telling) -> None:
    taken = f"{run.seconds:7.1f} s  {run.processor:6.1f} s of processor"
    line = f"  {name:24} {taken}  {run.mib:6.0f} MiB  {run.counts or 'killed'}\n"
    told.figure(line, name=name, seconds=run.seconds, processor=run.processor, mib=run.mib)
    if run.mib > MOST_MIB:
        raise SystemExit(f"{name}: {run.mib:.0f} MiB")


def _check(run: Run, *, people: int) -> None:
    from users.models import DirectoryEntry, User

    there = (User.objects.count(), DirectoryEntry.objects.count(), run.counts.get("people"))
    if there != (people, people, people):
        raise SystemExit(f"people, entries and what was told: {there}, of {people}")


def _check_nothing(run: Run) -> None:
    changed = run.counts.keys() - {"read", "groups", "people"}
    if changed:
        raise SystemExit(f"nothing had changed, and {sorted(changed)} were written")
