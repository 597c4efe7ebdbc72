import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.management.commands.send import ask_again
from devices.services import send
from devices.services.find import DeviceNotFound, find_device
from devices.services.queue import CommandRefused

ACTOR = "manage.py"


class Command(BaseCommand):
    help = (
        "End the management of a device: it removes its enrollment profile when it connects. "
        "With --now the record is retired at once, for a device that will not come back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", help="UUID, UDID or serial number")
        parser.add_argument("--now", action="store_true")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            device = find_device(options["device"])
            if sys.stdin.isatty() and not options["yes"]:
                ask_again(str(device), "this")
            if options["now"]:
                send.retire_now(device, actor=ACTOR)
                self.stdout.write("Retired. Should the device connect again, it is told to leave.")
            else:
                send.send(send.prepare_retirement(device), actor=ACTOR)
                self.stdout.write("Retirement is pending until the device has removed its profile.")
        except (DeviceNotFound, CommandRefused) as error:
            raise CommandError(str(error)) from error
