import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from devices.management.commands.send import read_payload
from devices.models import Broadcast
from devices.services import broadcast, departure
from devices.services.queue import CommandRefused
from epmm.numbers import in_utc

NEWEST: Final = 20
ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "Queue one command for many devices, see how far it has come, or call it back."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        send = what.add_parser("send", help="queue it; prints the UUID of the broadcast")
        send.add_argument("request_type", help="as Apple names it, such as DeviceInformation")
        send.add_argument("--payload", type=Path, help="a property list with the other keys of the command")
        send.add_argument("--platform", choices=("iOS", "macOS", "visionOS"))
        send.add_argument("--enrollment-type", choices=("adde", "aaue"))
        send.add_argument("--user", metavar="USER_ID")
        send.add_argument("--os-version")
        send.add_argument("--uuids", type=Path, help="a file with the UUIDs of devices, a line each; - for the input")
        add_selection(send)
        send.add_argument("--yes", action="store_true", help="also where it ends the management of the devices")
        for name, help_text in (("show", "how far it has come"), ("cancel", "call back what is not answered")):
            what.add_parser(name, help=help_text).add_argument("broadcast", help="its UUID")
        what.add_parser("list", help="the newest ones")
        for each in what.choices.values():
            each.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except CommandRefused as refused:
            raise CommandError(str(refused)) from refused

    def _send(self, options: dict[str, Any]) -> None:
        request_type = options["request_type"]
        if request_type in departure.DEPARTURES and not options["yes"]:
            raise CommandError(f"{request_type} may end the management of many devices. Say --yes if that is meant.")
        selection = {
            "platform": options["platform"],
            "enrollment_type": options["enrollment_type"],
            "user__user_id": options["user"],
            "os_version": options["os_version"],
            "uuid__in": _uuids(options["uuids"]) if options["uuids"] else None,
        }
        chosen = {name: value for name, value in selection.items() if value is not None} | selection_of(options)
        payload = read_payload(options["payload"], request_type) if options["payload"] else None
        row = broadcast.begin(request_type, selection=chosen, payload=payload, actor=ACTOR)
        self._print(options, {"broadcast": str(row.uuid)}, str(row.uuid))

    def _show(self, options: dict[str, Any]) -> None:
        row = broadcast.find(options["broadcast"])
        told = asdict(broadcast.progress(row)) | {"refusals": row.refusals}
        counted = ("queued", "refused", "open", "acknowledged", "failed", "cancelled")
        lines = [f"{name}: {told[name]}" for name in counted]
        lines.append("Nothing more will be queued." if told["is_complete"] else "The worker is still queueing.")
        lines += [f"refused for {count}: {sentence}" for sentence, count in row.refusals.items()]
        self._print(options, told, "\n".join(lines))

    def _cancel(self, options: dict[str, Any]) -> None:
        called_back = broadcast.cancel(broadcast.find(options["broadcast"]), actor=ACTOR)
        self._print(options, {"called_back": called_back}, f"{called_back} open commands are called back.")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Broadcast.objects.watched().order_by("-pk")[:NEWEST]
        told = [{"broadcast": str(r.uuid), "request_type": r.request_type, "created_at": r.created_at} for r in rows]
        lines = (f"{r.uuid}  {in_utc(r.created_at)}  {r.request_type}" for r in rows)
        self._print(options, told, "\n".join(lines))

    def _print(self, options: dict[str, Any], value: Any, text: str) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder) if options["json"] else text)


def add_selection(parser: CommandParser) -> None:
    parser.add_argument("--label", metavar="NAME", help="the devices that have it now")
    parser.add_argument("--search", metavar="EXPRESSION", help="the devices that it finds")


def selection_of(options: dict[str, Any]) -> dict[str, str]:
    return {name: options[name] for name in ("label", "search") if options[name] is not None}


def _uuids(path: Path) -> list[str]:
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    return raw.decode(errors="replace").split()
