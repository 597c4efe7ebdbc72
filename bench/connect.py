"""What a connect costs: the real gateway and a database of its own, in rounds, beside a peer if there is one."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from bench import calibration, contenders, counting, rounds, scenarios, site, yardstick
from bench.contenders import Contender, Ours
from bench.counters import Database
from bench.load import HAS_WRK, WARNING, Driver
from bench.plans import plan
from bench.recorded import Recorded
from bench.report import Report
from bench.rounds import Contestant
from bench.scenarios import Scenario
from bench.site import Site
from bench.yardstick import Yardstick


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--devices", type=int, default=40_000)
    parser.add_argument("--scenario", action="append", choices=list(scenarios.BY_NAME), help="all when left out")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[2, 32, 128])
    parser.add_argument("--rounds", type=int, default=3, help="of A A, with a peer of A B B A; 0: counts only")
    parser.add_argument("--requests", type=int, default=200, help="to count by")
    parser.add_argument("--history-devices", type=int, default=100, help="with so many finished commands, each")
    parser.add_argument("--seconds", type=int, default=3, help="of one round")
    parser.add_argument("--empty", type=int, default=1, help="seconds of empty answers beside each round; 0: none")
    parser.add_argument("--json", action="store_true")


def main(options: argparse.Namespace) -> None:
    given = contenders.environment(options.database)
    chosen = [scenarios.BY_NAME[name] for name in options.scenario or scenarios.BY_NAME]
    # without rounds nothing but counts is told, in which nobody else is to be seen
    with site.opened(options.database, server=() if options.rounds else ("autovacuum=off",)) as here:
        ours, peer = Ours(here), contenders.peer(here, given)
        everyone = scenarios.population(
            options.devices, old=options.history_devices if any(scenario.history for scenario in chosen) else 0
        )
        both: list[Contender] = [ours, *([peer] if peer else [])]
        report = _report(options, here, both)
        for each in both:
            each.enroll(everyone)
        if here.database_url:
            _count(both, chosen, everyone, report, options.requests)
        if options.rounds:
            _play(both, chosen, everyone, report, options, here)
        report.end()


def _report(options: argparse.Namespace, here: Site, both: Sequence[Contender]) -> Report:
    about: dict[str, Any] = {
        "database": here.about,
        "calibration": calibration.line(),
        "load": calibration.load(),
        "devices": options.devices,
        "servers": ", ".join(each.name for each in both),
    }
    recorded = Recorded.of(options.database) if options.rounds and len(both) == 1 else None
    if recorded:
        about["recorded"] = str(recorded)
    report = Report(as_json=options.json, database=options.database, about=about, recorded=recorded)
    if not HAS_WRK:
        report.say(WARNING)
    return report


def _count(
    both: Sequence[Contender], chosen: Sequence[Scenario], everyone: Sequence[Any], report: Report, times: int
) -> None:
    for contender in both:
        with counting.counter(contender) as counter:
            for scenario in chosen:
                report.counted(contender.name, scenario, counter.count(scenario, everyone, times))
                if isinstance(contender, Ours) and scenario.history is not None:
                    report.planned(scenario, plan(contender.database_url, scenario.devices(everyone)[0]))


def _play(
    both: Sequence[Contender],
    chosen: Sequence[Scenario],
    everyone: Sequence[Any],
    report: Report,
    options: argparse.Namespace,
    here: Site,
) -> None:
    with ExitStack() as stack:
        empty = stack.enter_context(yardstick.running(here.directory, here.environment, seconds=options.empty))
        playing = [stack.enter_context(_contestant(each, options, here, empty)) for each in both]
        ours, peer = playing[0], playing[1] if len(playing) > 1 else None
        for each in playing:  # caches fill, statements are prepared
            each.play(chosen[0], everyone, options.concurrency[-1])
        for scenario in chosen:
            for at_once in options.concurrency:
                played = rounds.match(ours, peer, scenario, everyone, at_once=at_once, rounds=options.rounds)
                report.played(scenario, at_once, played, [each.name for each in both])
        for each in playing:
            report.remembered(each.contender.name, each.memory)


@contextmanager
def _contestant(
    contender: Contender, options: argparse.Namespace, here: Site, empty: Yardstick | None
) -> Iterator[Contestant]:
    driver = Driver(directory=here.directory, header=contender.header, seconds=options.seconds)
    database = Database(contender.database_url) if contender.database_url else None
    with contender.running(contender.database_url) as server:
        yield Contestant(contender, server, driver, database, empty)
    if database:
        database.close()
