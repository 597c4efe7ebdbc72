import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.services import seeding
from devices.services.seeding import SeedRefused

MOST = 2_000_000


class Command(BaseCommand):
    help = "Fill a database that is to be looked at or measured with invented people and devices. Never in production."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--devices", type=_number, default=1_000, metavar="N")
        parser.add_argument("--users", type=_number, default=200, metavar="M")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        try:
            made = seeding.seed(devices=options["devices"], users=options["users"])
        except SeedRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made.devices} devices of {made.users} people in {time.monotonic() - began:.1f} s.")


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise ArgumentTypeError(f"a number from 1 to {MOST}")
    return int(text)
