"""A peer beside us, started as docs/performance.md says: the whole comparison, and what is not let pass for one."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import connect as bench_connect
from bench import contenders, counting, rounds, scenarios
from bench.contenders import Peer
from bench.counters import Counts, Database
from bench.load import Driver
from bench.relay import Relay
from bench.report import Report
from bench.rounds import Contestant, Round
from bench.scenarios import BY_NAME
from bench.site import Site
from tests import migrated
from tests.bench.peer import HEADER
from tests.epmm.processes import ROOT
from tests.ports import free_port

needs_both = pytest.mark.service("postgresql", "wrk")
ACK = BY_NAME["ack-small"]
DEVICES = scenarios.population(20, old=0)
AT_ONCE = 2


def named(stand_in: str = "") -> dict[str, str]:
    """What whoever measures has in the environment."""
    port, python = free_port(), sys.executable
    server = f"{python} -m uvicorn --app-dir .. --port {port} tests.bench.peer:app"
    return {
        "PEER_CMD": f"cd tests && STAND_IN={stand_in} {server}",
        "PEER_URL": f"http://127.0.0.1:{port}/mdm",
        "PEER_ENROLL": f"{python} -m tests.bench.peer enroll",
        "PEER_QUEUE": f"{python} -m tests.bench.peer queue",
        "PEER_STORED": "SELECT count(*) FROM result",
        "PEER_HEADER": HEADER,
        "PEER_NAME": "stand-in",
    }


def connect(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "connect", *options]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )


@needs_both
def test_both_play_in_turn_and_are_compared() -> None:
    small = ["--devices=20", "--requests=10", "--rounds=1", "--seconds=1", "--concurrency=2", "--empty=0"]
    done = connect("--scenario=ack-small", *small, "--json", **named())

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)  # with nothing of what the hooks said
    assert told["servers"] == "epmm, stand-in"
    assert "recorded" not in told
    ours, peer = told["counts"]
    assert (ours["server"], peer["server"]) == ("epmm", "stand-in")
    assert ours["round_trips"] == 1
    assert peer["round_trips"] > 1  # of which it takes several, through the relay
    (played,) = told["rounds"]
    assert played["in_turn"] == ["epmm", "stand-in", "stand-in", "epmm"]
    for its in (played["epmm"], played["stand-in"]):
        assert 0 < its["answered"] <= its["rows"] <= its["answered"] + 2 * AT_ONCE
    for name, key, over, under in (
        ("ratio_rps", "per_second", "epmm", "stand-in"),
        ("ratio_cpu", "cpu", "stand-in", "epmm"),
    ):
        assert isfinite(played[name])
        assert played[name] == pytest.approx(played[over][key]["median"] / played[under][key]["median"])
        assert played[name] > 0


def test_half_a_peer_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    done = connect(**named() | {"PEER_URL": "", "PEER_STORED": ""})

    said = "a peer needs PEER_URL, PEER_STORED too, see docs/performance.md\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
    for name, value in named().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=r"^a peer is compared with on PostgreSQL only$"):
        contenders.environment("sqlite")


@pytest.fixture(scope="module")
def database_url() -> str:
    """In a cluster that need not count statements; the hook has enrolled the devices."""
    url = migrated.new_database(is_empty=True)
    standing(url, Path()).enroll(DEVICES)
    return url


def standing(database_url: str, directory: Path, does: str = "") -> Peer:
    given = os.environ | named(does) | {"PEER_DSN": database_url}
    peer = contenders.peer(Site(directory=directory, database_url="", environment={}, about=""), given)
    assert peer is not None
    return peer


@contextmanager
def at_work(peer: Peer) -> Iterator[Contestant]:
    driver = Driver(directory=peer.site.directory, header=peer.header, seconds=1)
    with peer.running(peer.database_url) as server, closing(Uncounted(peer.database_url)) as database:
        yield Contestant(peer, server, driver, database)


class Uncounted(Database):
    def counts(self) -> Counts:
        return Counts(0, 0, 0)


@needs_both
@pytest.mark.parametrize(
    ("does", "counted", "under_load"),
    [
        ("refuses", "an answer was 500, not 200", r"[1-9]\d* errors, \d+ answers"),
        ("forgets", "10 answered, 0 rows", r"[1-9]\d* sent, [1-9]\d* answered, 0 rows"),
    ],
    ids=["refuses", "forgets"],
)
def test_a_peer_that_answers_wrongly_is_no_peer(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, counted: str, under_load: str
) -> None:
    monkeypatch.setattr(counting, "DUE_SECONDS", 0)
    peer = standing(database_url, tmp_path, does)
    with at_work(peer) as contestant:
        assert contestant.database
        counter = counting.Counter(peer, contestant.server.url, contestant.database, Relay(database_url))
        with pytest.raises(SystemExit, match=f"^stand-in, ack-small: {counted}$"):
            counter.count(ACK, DEVICES, 6)
        with pytest.raises(SystemExit, match=f"^stand-in, ack-small, 2 at once: {under_load}$"):
            contestant.play(ACK, DEVICES, AT_ONCE)


@needs_both
def test_sessions_that_end_are_paid_for_and_signatures_are_taken(database_url: str, tmp_path: Path) -> None:
    """Where no session is open before the round, nor after it."""
    with at_work(standing(database_url, tmp_path, "reconnects")) as contestant:
        idle = contestant.play(BY_NAME["mdm-signature"], DEVICES, AT_ONCE)

    assert idle.answered > 0
    assert idle.database > 0
    assert "Shutting down" in (tmp_path / "peer.log").read_text()  # SIGTERM has gone through the shell


def test_what_is_judged_by_are_three_rounds_of_three_seconds() -> None:
    parser = argparse.ArgumentParser()
    bench_connect.add_arguments(parser)
    options = parser.parse_args([])

    assert (options.rounds, options.seconds, options.concurrency) == (3, 3, [2, 32, 128])


@dataclass
class Canned:
    """Plays no round, and says what each took."""

    name: str
    cpu: float
    seen: list[str]

    @property
    def contender(self) -> SimpleNamespace:
        return SimpleNamespace(name=self.name)

    def play(self, *_: object) -> Round:
        self.seen.append(self.name)
        return Round(
            per_second=1e6 / self.cpu, p50=1, p99=2, app=self.cpu, database=0, statements=1, empty=0, answered=9, rows=9
        )


def test_the_order_is_a_b_b_a_and_stands_beside_the_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    ours, peer = Canned("epmm", 100, seen), Canned("stand-in", 1200, seen)
    match: Any = rounds.match(ours, peer, ACK, DEVICES, at_once=2, rounds=2)  # type: ignore[arg-type]
    report = Report(as_json=False, database="postgresql", about={}, recorded=None)
    report.played(ACK, 2, match, ["epmm", "stand-in"])

    once = ["epmm", "stand-in", "stand-in", "epmm"]
    assert (seen, match.in_turn) == (once * 2, once * 2)
    assert [len(each) for each in (match.first, match.peer, match.last)] == [2, 4, 2]
    said = capsys.readouterr().out
    assert f"ack-small, 2 at once; budget 350 us; in turn {', '.join(once * 2)}\n" in said
    assert "36 answered, 36 rows\n" in said
    assert "ratio_rps 12.00, ratio_cpu 12.00\n" in said
