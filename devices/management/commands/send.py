import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.services import send
from devices.services.find import DeviceNotFound, find_device
from devices.services.queue import CommandRefused
from epmm.wire import plist
from epmm.wire.errors import WireError


class Command(BaseCommand):
    help = "Queue a command for a device and print its UUID; the device gets it when it connects."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", help="UUID, UDID or serial number")
        parser.add_argument("request_type", help="as Apple names it, such as DeviceInformation")
        parser.add_argument("--payload", type=Path, help="a property list with the other keys of the command")
        parser.add_argument("--user", default="", metavar="USER_KEY", help="a user of a Mac, instead of the Mac")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        request_type = options["request_type"]
        payload = read_payload(options["payload"], request_type) if options["payload"] is not None else None
        try:
            device = find_device(options["device"])
            order = send.prepare(device, request_type, payload=payload, user_key=options["user"])
            if order.ends_management and sys.stdin.isatty():
                ask_again(str(device), request_type)
            command = send.send(order, actor="manage.py")
        except (DeviceNotFound, CommandRefused) as error:
            raise CommandError(str(error)) from error
        uuid = str(command.uuid).upper()  # as the device sends it back
        if options["json"]:
            shown = {"command": uuid, "device": str(device.uuid), "request_type": request_type}
            self.stdout.write(json.dumps(shown, indent=2))
        else:
            self.stdout.write(uuid)


def read_payload(path: Path, request_type: str) -> dict[str, Any]:
    """The keys of the command.  Its type may stand among them, as in Apple's examples."""
    try:
        payload = plist.load_dict(path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except WireError as error:
        raise CommandError(f"{path}: {error}") from error
    if payload.pop("RequestType", request_type) != request_type:
        raise CommandError(f"{path} is the payload of another command.")
    return payload


def ask_again(device: str, request_type: str) -> None:
    """Only a person at a terminal can answer; a script has been written on purpose."""
    sys.stderr.write(f"After {request_type}, {device} is no longer managed. Type its name to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != device:
        raise CommandError("Nothing was sent.")
