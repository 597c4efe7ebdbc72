"""Faults while devices work: processes killed, disk full, clock moved, database slow; afterwards nothing is lost."""

import argparse
import random
import secrets
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import calibration
from bench.faults import installation, kinds, work
from bench.faults.rounds import Plan, Rounds

# A worker that was killed holds its jobs and its pushes for a minute (LEASE of epmm/models.py and of push_pauses.py),
# one after the other when it was killed in both.
PATIENCE: Final = 150
WORKERS: Final = 2  # a worker that hangs is not the only one
out: Final = sys.stdout.write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--minutes", type=float, help="begin no round after so many")
    parser.add_argument("--seed", default=secrets.token_hex(3), help="the same faults in the same order")
    parser.add_argument("--kind", action="append", choices=list(kinds.BY_NAME), help="these faults only")
    parser.add_argument("--brief", action="store_true", help="one round in which each fault happens once, and shortly")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds after healing until all is done")
    parser.add_argument("--logs", type=Path, help="a directory in which the logs of all processes stay")


def main(options: argparse.Namespace) -> None:
    order = order_of(options)
    needed = {kind.needs for some in order for kind in some} - {""}
    if missing := sorted(each for each in needed if not shutil.which(each)):
        raise SystemExit(f"install {', '.join(missing)}, or choose other faults with --kind")
    plan = replace(Plan.brief() if options.brief else Plan(), patience=options.patience)
    with tempfile.TemporaryDirectory(prefix="epmm-faults-") as scratch:
        logs = options.logs or Path(scratch)
        logs.mkdir(parents=True, exist_ok=True)
        workers = 1 if options.database == "sqlite" or options.brief else WORKERS
        manner = plan.manner(0)
        with installation.opened(
            options.database, devices=options.devices, workers=workers, seed=options.seed, manner=manner, logs=logs
        ) as made:
            work.prepare()
            out(f"{made.site.about}\n{calibration.line()}\nload: {calibration.load()}\n")
            out(f"{options.devices} devices, seed {options.seed}\n")
            rounds = Rounds(made, plan, seed=options.seed, logs=logs)
            rounds.play(order, minutes=options.minutes)
    out("nothing was lost\n")


def order_of(options: argparse.Namespace) -> list[list[kinds.Kind]]:
    """Each as often as the others, and once what takes long, shuffled; in brief one round of all the others."""
    chance = random.Random(f"{options.seed} order")  # noqa: S311 -- to be repeated
    chosen = [kind for kind in kinds.possible(options.database) if not options.kind or kind.name in options.kind]
    if options.brief:
        return [[kind for kind in chosen if not kind.lasting]]
    order = chance.sample(chosen, len(chosen))
    again = [kind for kind in chosen if not kind.lasting] or chosen
    while len(order) < options.rounds:
        order += chance.sample(again, len(again))
    return [[kind] for kind in order[: options.rounds]]
