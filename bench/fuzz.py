"""Mutated and random requests against both doors, for as long as wanted, with an eye on the memory."""

import argparse
import gc
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from bench.processes import resident_megabytes

BATCH: Final = 250  # Hypothesis remembers every example of a batch, and forgets them with it
out: Final = sys.stdout.write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, help="stop after so many, however many requests that makes")


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="epmm-fuzz-") as directory:
        os.environ.update(EPMM_DATA_DIR=directory, DJANGO_SETTINGS_MODULE="tests.settings")
        import django

        django.setup()
        from django.db import connection

        database = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            _besiege(options.examples, time.monotonic() + (options.minutes or 60 * 24) * 60)
        finally:
            connection.creation.destroy_test_db(database, verbosity=0)


def _besiege(examples: int, deadline: float) -> None:
    from tests.flows import attacks, house
    from tests.flows.siege import lay
    from tests.flows.target import made_in

    with house.opened() as opened, made_in(opened) as target:
        for handler in logging.getLogger().handlers:  # Celery has set Django up again, and with it the log
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(Path(os.devnull).open("w"))  # noqa: SIM115 -- lines are written, and not shown
        kinds = [(attack.__name__, attack(target), False) for attack in attacks.STRANGERS]
        kinds.append((attacks.mad_device.__name__, attacks.mad_device(target), True))
        answers: dict[str, Counter[int]] = {name: Counter() for name, _, _ in kinds}
        for _, attack, by_insider in kinds:  # what is read once and kept, in us and in Hypothesis
            lay(target, attack, examples=BATCH, by_insider=by_insider)
        began, report = time.monotonic(), 0
        while (done := sum(map(Counter.total, answers.values()))) < examples and time.monotonic() < deadline:
            if done >= report:
                out(f"{done:7} requests  {time.monotonic() - began:6.0f} s  {_resident():6.1f} MB\n")
                report += examples // 20
            for name, attack, by_insider in kinds:
                answers[name] += lay(target, attack, examples=BATCH, by_insider=by_insider)
        out(f"{done:7} requests  {time.monotonic() - began:6.0f} s  {_resident():6.1f} MB\n")
    for name, found in answers.items():
        out(f"{name:<22} {', '.join(f'{status}: {count}' for status, count in sorted(found.items()))}\n")


def _resident() -> float:
    gc.collect()
    return resident_megabytes(os.getpid())
