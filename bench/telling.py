"""What a measurement says: lines for people as they come, or one JSON object at its end."""

import argparse
import json
import sys
from typing import Any, Final

out: Final = sys.stdout.write


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one object at the end instead of lines")


class Telling:
    def __init__(self, *, as_json: bool, **about: Any) -> None:
        self._as_json = as_json
        self._told: dict[str, Any] = {**about, "figures": []}

    def say(self, text: str) -> None:
        if not self._as_json:
            out(text)
            sys.stdout.flush()

    def figure(self, text: str, **figure: Any) -> None:
        """The same for both readers."""
        self._told["figures"].append(figure)
        self.say(text)

    def end(self) -> None:
        """Once it is sure that all of it is true: a measurement that went wrong says so and nothing else."""
        if self._as_json:
            out(json.dumps(self._told, indent=2) + "\n")
