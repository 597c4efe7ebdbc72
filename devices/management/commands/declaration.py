import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Count

from devices.management.commands.broadcast import add_selection, selection_of
from devices.models import Declaration, DeclarationRun, Device
from devices.protocol.declarations import LegacyProfile
from devices.services import declaration_overview, declaration_runs, declarations
from devices.services.actions import Unmet, updates
from devices.services.declarations import DeclarationRefused
from devices.services.find import DeviceNotFound, find_device

ACTOR = "manage.py"
COLUMNS = ("IDENTIFIER", "TYPE", "DEVICES", "CHANGED")
MOST_BYTES = 1 << 20


class Command(BaseCommand):
    help = "Declare what devices are to hold, assign it to them, and see what they made of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        add = _Adder(actions)
        add("list", "the declarations there are")
        add("show", "one of them", "identifier")
        put = add("set", "declare it, or change it", "identifier", "type")
        put.add_argument("file", type=Path, help="its Payload as JSON; for com.apple.configuration.legacy the profile")
        put.add_argument(
            "--predicate", default="", help="of its activation, such as (@status(device.model.family) == 'iPhone')"
        )
        add("remove", "take it from every device", "identifier")
        for name, about in (("assign", "give it to devices"), ("unassign", "take it from devices")):
            each = add(name, about, "identifier")
            each.add_argument("devices", nargs="*", metavar="DEVICE", help="UUID, UDID or serial number")
            add_selection(each)
            if name == "assign":
                each.add_argument("--users", action="store_true", help="to the users of a Mac, instead of the Mac")
        add("status", "what a device is to hold, and what it says of it", "device")
        run = add("run", "how far it has come with many devices", "run")
        run.add_argument("--stop", action="store_true", help="go no further; what is done stays done")
        update = add("update", "enforce a software update by a local time")
        update.add_argument("device", nargs="?", metavar="DEVICE", help="UUID, UDID or serial number")
        add_selection(update)
        update.add_argument("--version", required=True, dest="os_version", help="such as 18.2")
        update.add_argument("--by", required=True, help="the clock of the device, such as 2026-12-01T20:00:00")
        update.add_argument("--build", help="such as 22C152")
        update.add_argument("--details-url", help="a page that explains it, https://")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (DeviceNotFound, DeclarationRefused, Unmet) as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        rows = Declaration.objects.filter(removed_at=None).annotate(devices=Count("assignments")).order_by("identifier")
        found = [_summary(row) | {"devices": row.devices} for row in rows.defer("profile")]
        if options["json"]:
            self._say(found)
            return
        lines = [
            (row["identifier"], row["type"], str(row["devices"]), f"{row['changed_at']:%Y-%m-%d %H:%M}")
            for row in found
        ]
        self.stdout.write("\n".join(_table([COLUMNS, *lines])))

    def _show(self, options: dict[str, Any]) -> None:
        row = declarations.get(options["identifier"])
        assigned = row.assignments.select_related("device").order_by("pk")
        devices = [str(each.device.uuid) for each in assigned if each.device is not None]
        about = {"payload": row.payload, "predicate": row.predicate, "profile_sha256": row.profile_sha256}
        self._say(_summary(row) | about | {"devices": devices})

    def _set(self, options: dict[str, Any]) -> None:
        raw = _read(options["file"])
        is_profile = options["type"] == LegacyProfile.type
        row = declarations.put(
            options["identifier"],
            options["type"],
            None if is_profile else _json(options["file"], raw),
            profile=raw if is_profile else None,
            predicate=options["predicate"],
            actor=ACTOR,
        )
        self._done(row, options)

    def _remove(self, options: dict[str, Any]) -> None:
        declarations.remove(options["identifier"], actor=ACTOR)
        self._did("Removed", [], options)

    def _assign(self, options: dict[str, Any]) -> None:
        for_users = options["users"]
        if selection := _selection(options, options["devices"]):
            self._many(declarations.get(options["identifier"]), options, selection, for_users=for_users)
        else:
            devices = _devices(options)
            declarations.assign(options["identifier"], devices, for_users=for_users, actor=ACTOR)
            self._did("Assigned", devices, options)

    def _unassign(self, options: dict[str, Any]) -> None:
        if selection := _selection(options, options["devices"]):
            self._many(declarations.get(options["identifier"]), options, selection, takes=True)
        else:
            devices = _devices(options)
            declarations.unassign(options["identifier"], devices, actor=ACTOR)
            self._did("Taken away", devices, options)

    def _update(self, options: dict[str, Any]) -> None:
        names = ("build", "details_url")
        wanted: dict[str, Any] = {"actor": ACTOR, **{name: options[name] for name in names}}
        wanted |= {"version": options["os_version"], "by": updates.latest_by(options["by"])}
        if selection := _selection(options, options["device"]):
            with transaction.atomic():
                self._many(declarations.put_update(**wanted), options, selection)
        else:
            self._done(declarations.enforce_update(find_device(options["device"]), **wanted), options)

    def _many(self, row: Declaration, options: dict[str, Any], selection: dict[str, str], **how: bool) -> None:
        run = declaration_runs.begin(row, selection=selection, actor=ACTOR, **how)
        told = {"declaration": row.identifier, "run": str(run.uuid)}
        self._say(told) if options["json"] else self.stdout.write(told["run"])

    def _run(self, options: dict[str, Any]) -> None:
        run = declaration_runs.find(options["run"])
        if options["stop"]:
            declaration_runs.stop(run, actor=ACTOR)
            run.refresh_from_db()
        told = _progress(run)
        if options["json"]:
            self._say(told)
            return
        lines = [f"{name.replace('_', ' ')}: {value}" for name, value in told.items() if name != "refusals"]
        lines += [f"refused for {count}: {sentence}" for sentence, count in run.refusals.items()]
        self.stdout.write("\n".join(lines))

    def _status(self, options: dict[str, Any]) -> None:
        channels = declaration_overview.of_device(find_device(options["device"]), with_status=options["json"])
        if options["json"]:
            self._say(channels)
            return
        for channel in channels:
            self.stdout.write(declaration_overview.sentence(channel))
            for line in _table([("DECLARATION", "STATE", "WHY"), *declaration_overview.lines(channel)]):
                self.stdout.write(f"  {line}")

    def _done(self, row: Declaration, options: dict[str, Any]) -> None:
        if options["json"]:
            self._say(_summary(row))
        else:
            self.stdout.write(row.identifier)

    def _did(self, what: str, devices: Sequence[Device], options: dict[str, Any]) -> None:
        if options["json"]:
            self._say({"declaration": options["identifier"], "devices": [str(each.uuid) for each in devices]})
        else:
            self.stdout.write(f"{what}.")

    def _say(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder))


class _Adder:
    """Adds an action; `--json` may stand before it or behind it."""

    def __init__(self, actions: Any) -> None:
        self._actions = actions

    def __call__(self, name: str, about: str, *positional: str) -> CommandParser:
        parser: CommandParser = self._actions.add_parser(name, help=about, description=about)
        parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
        for each in positional:
            parser.add_argument(each)
        return parser


def _table(rows: Iterable[Sequence[str]]) -> Iterable[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _summary(row: Declaration) -> dict[str, Any]:
    return {"identifier": row.identifier, "type": row.type, "version": row.version, "changed_at": row.changed_at}


def _progress(run: DeclarationRun) -> dict[str, Any]:
    is_over = run.done_at is not None or run.stopped_at is not None
    counted = {"changed": run.changed, "unchanged": run.unchanged, "refused": run.refused, "refusals": run.refusals}
    return {"declaration": run.declaration.identifier, **counted, "is_complete": is_over}


def _selection(options: dict[str, Any], named: object) -> dict[str, str]:
    """Empty where devices are named."""
    selection = selection_of(options)
    if bool(selection) == bool(named):
        raise CommandError("Say which devices: by their names, or by --label and --search.")
    return selection


def _devices(options: dict[str, Any]) -> list[Device]:
    return [find_device(name) for name in options["devices"]]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise CommandError(f"{path} is larger than {MOST_BYTES} bytes.")
    return raw


def _json(path: Path, raw: bytes) -> Any:
    """The Payload, or a whole declaration around it as in Apple's examples."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path}: not JSON") from error
    is_whole = isinstance(value, dict) and isinstance(value.get("Payload"), dict) and "Type" in value
    return value["Payload"] if is_whole else value
