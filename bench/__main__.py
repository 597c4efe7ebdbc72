"""`python -m bench SUBCOMMAND`: measurements by hand; bench/README.md says what each is for."""

import argparse
import importlib
import signal
import sys
from typing import Final

SUBCOMMANDS: Final = (
    "connect", "door", "digest", "push", "enroll", "fleet", "search", "portal", "directory", "signin", "start",
    "fuzz", "faults",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parsers = parser.add_subparsers(required=True, metavar="SUBCOMMAND")
    for name in SUBCOMMANDS:
        module = importlib.import_module(f"bench.{name}")
        own = parsers.add_parser(name, help=module.__doc__, description=module.__doc__)
        module.add_arguments(own)
        own.set_defaults(main=module.main)
    options = parser.parse_args()
    # by default SIGTERM ends Python without leaving the `with` blocks, and what was started would live on
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options.main(options)


if __name__ == "__main__":
    main()
