import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from devices.models import CommandRow, Device
from devices.services import history, search, secrets
from devices.services.find import DeviceNotFound, find_device
from devices.services.search import SearchRefused
from epmm.numbers import in_utc

LAST_COMMANDS: Final = 20
COLUMNS: Final = ("STATUS", "SERIAL NUMBER", "MODEL", "OS", "USER", "MANAGED APPLE ACCOUNT", "LAST CONTACT")
NOT_SHOWN: Final = frozenset({"id", "user", "pin", "details"})


class Command(BaseCommand):
    help = "List the devices, or show one with its last commands."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", nargs="?", help="UUID, UDID or serial number")
        parser.add_argument("--all", action="store_true", help="retired ones too")
        parser.add_argument("--search", metavar="EXPRESSION", help="only those it matches: docs/search.md")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--reveal", metavar="NAME", help="print a secret that the device gave us; audited")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["reveal"] is not None:
            self._reveal(options["device"] or "", options["reveal"])
        elif options["device"] is None:
            self._list(options["search"] or "", everything=options["all"], as_json=options["json"])
        else:
            self._show(options["device"], as_json=options["json"])

    def _list(self, expression: str, *, everything: bool, as_json: bool) -> None:
        try:
            devices = search.matching(expression, exclude_retired=not everything)
        except SearchRefused as refused:
            raise CommandError(_pointed(expression, refused)) from refused
        found = devices.select_related("user").defer("details").order_by("pk").iterator(chunk_size=1000)
        if as_json:
            self._json([_summary(device) for device in found])
        else:
            self.stdout.write("\n".join(_table([COLUMNS, *(_line(device) for device in found)])))

    def _show(self, name: str, *, as_json: bool) -> None:
        try:
            device = find_device(name)
        except DeviceNotFound as error:
            raise CommandError(str(error)) from error
        fields = _fields(device) | secrets.held(device) | {"secrets": ", ".join(secrets.names_of(device))}
        commands = [_command(row) for row in history.newest(device, LAST_COMMANDS)]
        if as_json:
            self._json(fields | _tables(device) | {"details": device.details, "commands": commands})
            return
        shown = [(column, _text(value)) for column, value in fields.items() if value not in {None, ""}]
        self.stdout.write("\n".join(_table(shown)))
        self.stdout.write("\nLast commands:" if commands else "\nNo command yet.")
        for row in _table([[_text(value) or "-" for value in command.values()] for command in commands]):
            self.stdout.write(row)

    def _reveal(self, name: str, secret: str) -> None:
        """Text as it is, anything else in base64."""
        try:
            value = secrets.reveal(find_device(name), secret, actor="manage.py")
        except (DeviceNotFound, secrets.NoSecret) as error:
            raise CommandError(str(error)) from error
        printable = value.isascii() and value.decode("ascii").isprintable()
        self.stdout.write(value.decode("ascii") if printable else b64encode(value).decode("ascii"))

    def _json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder))


def _summary(device: Device) -> dict[str, Any]:
    return {
        "uuid": device.uuid,
        "status": device.status,
        "enrollment_type": device.enrollment_type,
        "serial_number": device.serial_number,
        "udid": device.udid,
        "device_name": device.device_name,
        "model": device.product_name or device.model,
        "platform": device.platform,
        "os_version": device.os_version,
        "user": device.user.user_id,
        "managed_apple_account": device.managed_apple_account,
        "last_seen_at": device.last_seen_at,
        "inventory_at": device.inventory_at,
    }


def _line(device: Device) -> tuple[str, ...]:
    system = f"{device.platform} {device.os_version}".strip()
    model = device.product_name or device.model
    values = (
        device.serial_number,
        model,
        system,
        device.user.user_id,
        device.managed_apple_account,
        _text(device.last_seen_at),
    )
    return (device.status, *(value or "-" for value in values))


def _fields(device: Device) -> dict[str, Any]:
    columns = [field.name for field in Device._meta.concrete_fields if field.name not in NOT_SHOWN]
    return {"user": device.user.user_id} | {name: getattr(device, name) for name in columns}


def _tables(device: Device) -> dict[str, Any]:
    """What it answered to the commands of an administrator."""
    applications = device.managed_applications.order_by("identifier")
    updates = device.available_updates.order_by("product_key")
    return {
        "managed_applications": list(applications.values("identifier", "state", "rejection")),
        "local_users": list(device.local_users.order_by("name").values("name", "full_name", "has_secure_token")),
        "available_updates": list(updates.values("product_key", "name", "version", "restart_required")),
        "answers": {
            f"{answer.request_type} {answer.user_key}".rstrip(): answer.content
            for answer in device.answers.order_by("request_type", "user_key")
        },
    }


def _command(row: CommandRow) -> dict[str, Any]:
    return {
        "uuid": str(row.uuid).upper(),
        "request_type": row.request_type,
        "state": CommandRow.State(row.state).name,
        "user": row.channel.user_key,
        "created_at": row.created_at,
        "done_at": row.done_at,
    }


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return in_utc(value)
    return "" if value is None else str(value)


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _pointed(expression: str, refused: SearchRefused) -> str:
    """The sentence, and a mark below the place that it speaks of."""
    if refused.at is None or not expression.isprintable():
        return str(refused)
    return f"{refused}\n{expression}\n{' ' * (refused.at - 1)}^"
