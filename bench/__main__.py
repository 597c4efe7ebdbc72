"""`python -m bench SUBCOMMAND`: measurements by hand; bench/README.md says what each is for."""

import argparse
import importlib
from typing import Final

SUBCOMMANDS: Final = ("connect", "door", "digest", "push", "fuzz")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parsers = parser.add_subparsers(required=True, metavar="SUBCOMMAND")
    for name in SUBCOMMANDS:
        module = importlib.import_module(f"bench.{name}")
        own = parsers.add_parser(name, help=module.__doc__, description=module.__doc__)
        module.add_arguments(own)
        own.set_defaults(main=module.main)
    options = parser.parse_args()
    options.main(options)


if __name__ == "__main__":
    main()
