from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.services.find import DeviceNotFound, find_device
from devices.services.queue import CommandRefused
from enrollment.services import renewal


class Command(BaseCommand):
    help = (
        "Give a device a new certificate: queue its enrollment profile with a new identity; print the command's UUID."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", help="UUID, UDID or serial number")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            command = renewal.renew(find_device(options["device"]), actor="manage.py")
        except (DeviceNotFound, CommandRefused) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(command.uuid).upper())
