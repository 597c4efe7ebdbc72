import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from devices.models import Configuration, ConfigurationDelivery, ConfigurationVersion, Device, Label
from devices.protocol.configuration_profile import LARGEST, Verdict
from devices.services import configuration_status, configurations, labels
from devices.services.configurations import ConfigurationRefused
from devices.services.find import DeviceNotFound, find_device
from devices.services.labels import LabelRefused
from epmm.numbers import in_utc

ACTOR: Final = "manage.py"
LISTED: Final = ("IDENTIFIER", "NAME", "VERSION", "ASSIGNED", "DEVICES")
STATUS: Final = ("STATE", "CONFIGURATION", "DEVICE", "USER", "WANTED", "INSTALLED", "WHY")


class Command(BaseCommand):
    help = "Configuration profiles: upload them, assign them to devices and labels, see what became of them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        upload = actions.add_parser("upload", help="a new configuration, or a new version of one")
        upload.add_argument("file", type=Path, help="a .mobileconfig, signed or not")
        upload.add_argument("--name", default="", help="instead of its PayloadDisplayName")
        listed = actions.add_parser("list", help="list the configurations")
        show = actions.add_parser("show", help="show one, and what devices of each kind would make of it")
        show.add_argument("--versions", action="store_true", help="all of them, the newest first")
        assign = actions.add_parser("assign", help="to a device, or to all that have a label")
        unassign = actions.add_parser("unassign", help="it is removed from where nothing else assigns it")
        remove = actions.add_parser("remove", help="from every device, and then from here")
        remove.add_argument("--yes", action="store_true", help="although it is assigned")
        status = actions.add_parser("status", help="how far devices have come")
        for action in (show, assign, unassign, remove):
            action.add_argument("identifier", metavar="IDENTIFIER", help="its PayloadIdentifier")
        status.add_argument("identifier", metavar="IDENTIFIER", nargs="?")
        status.add_argument("--device", metavar="D", help="UUID, UDID or serial number")
        for action in (assign, unassign):
            target = action.add_mutually_exclusive_group(required=True)
            target.add_argument("--device", metavar="D", help="UUID, UDID or serial number")
            target.add_argument("--label", metavar="L")
        for action in (upload, listed, show, status):
            action.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (ConfigurationRefused, LabelRefused, DeviceNotFound) as refused:
            raise CommandError(str(refused)) from refused

    def _upload(self, options: dict[str, Any]) -> None:
        done = configurations.upload(_read(options["file"]), name=options["name"], actor=ACTOR)
        facts = {
            "identifier": done.configuration.identifier,
            "name": done.configuration.name,
            "version": done.version.number,
            "is_new": done.is_new,
            "warnings": list(done.warnings),
            "devices": _verdicts(done.verdicts),
        }
        if options["json"]:
            self._json(facts)
            return
        unchanged = "" if done.is_new else ", unchanged"
        self.stdout.write(f"{done.configuration.identifier} version {done.version.number}{unchanged}")
        self._lines([*done.warnings, *_objections(done.verdicts)])

    def _list(self, options: dict[str, Any]) -> None:
        rows = list(configuration_status.all_configurations())
        assigned, counts = configuration_status.assigned_counts(rows), configuration_status.counts(rows)
        found = [_summary(row, assigned.get(row.pk, 0)) | {"states": counts.get(row.pk, {})} for row in rows]
        if options["json"]:
            self._json(found)
            return
        self._lines(_table([LISTED, *(_line(facts) for facts in found)]))

    def _show(self, options: dict[str, Any]) -> None:
        configuration = configurations.find(options["identifier"])
        current = configuration.current
        facts = _facts(configuration)
        if options["versions"]:
            versions = configuration.versions.defer("content").order_by("-number")
            facts["versions"] = [_version(version) for version in versions]
        verdicts = {}
        if current is not None:
            verdicts = configurations.verdicts(configuration.identifier, current.outline, configuration.scope)
            facts["devices"] = _verdicts(verdicts)
        if options["json"]:
            self._json(facts)
            return
        versions = facts.pop("versions", [])
        facts.pop("devices", None)
        self._lines(_table([(name, _text(value)) for name, value in facts.items() if value not in ("", [], {})]))
        self._lines(
            _table([(f"version {version.pop('version')}", *map(_text, version.values())) for version in versions])
        )
        self._lines(_objections(verdicts))

    def _assign(self, options: dict[str, Any]) -> None:
        configuration, target = configurations.find(options["identifier"]), _target(options)
        is_new = configurations.assign(configuration, target, actor=ACTOR)
        self.stdout.write("Assigned." if is_new else "It was assigned already.")

    def _unassign(self, options: dict[str, Any]) -> None:
        configuration, target = configurations.find(options["identifier"]), _target(options)
        if not configurations.unassign(configuration, target, actor=ACTOR):
            raise CommandError(f"{configuration.identifier} is not assigned to {target}.")
        self.stdout.write("No longer assigned.")

    def _remove(self, options: dict[str, Any]) -> None:
        configuration = configurations.find(options["identifier"])
        number = configuration.assignments.count()
        if number and not options["yes"]:
            self._ask_again(configuration, number)
        configurations.remove(configuration, actor=ACTOR)
        self.stdout.write("Removed; it goes from here when no device has it any more.")

    def _ask_again(self, configuration: Configuration, number: int) -> None:
        question = f"{configuration.identifier} has {number} assignments and will be removed from these devices."
        if not sys.stdin.isatty():
            raise CommandError(f"{question} Nothing was changed. Add --yes if that is what you want.")
        sys.stderr.write(f"{question} Type its identifier to go on: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != configuration.identifier:
            raise CommandError("Nothing was changed.")

    def _status(self, options: dict[str, Any]) -> None:
        if (options["identifier"] is None) == (options["device"] is None):
            raise CommandError("Name a configuration or a --device, one of them.")
        if options["device"] is not None:
            rows = configuration_status.of_device(find_device(options["device"]))
        else:
            rows = configuration_status.of_configuration(configurations.find(options["identifier"]))
        found = (_delivery(row) for row in rows.iterator(chunk_size=1000))
        if options["json"]:
            self._json(list(found))
            return
        self._lines(_table([STATUS, *(_status_line(facts) for facts in found)]))

    def _json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, cls=DjangoJSONEncoder))

    def _lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


def _target(options: Mapping[str, Any]) -> Device | Label:
    return find_device(options["device"]) if options["device"] is not None else labels.find(options["label"])


def _verdicts(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    return {place: {"refusal": verdict.refusal, "warnings": verdict.warnings} for place, verdict in verdicts.items()}


def _objections(verdicts: Mapping[str, Verdict]) -> list[str]:
    return [
        f"{place}: {sentence}"
        for place, verdict in verdicts.items()
        for sentence in ([verdict.refusal] if verdict.refusal is not None else verdict.warnings)
    ]


def _summary(row: Configuration, assigned: int) -> dict[str, Any]:
    return {
        "identifier": row.identifier,
        "name": row.name,
        "version": row.current.number if row.current is not None else None,
        "assignments": assigned,
        "removed_at": row.removed_at,
    }


def _line(facts: Mapping[str, Any]) -> tuple[str, ...]:
    states = ", ".join(f"{number} {state.label}" for state, number in facts["states"].items())
    assigned = "being removed" if facts["removed_at"] else str(facts["assignments"])
    return facts["identifier"], facts["name"], _text(facts["version"]), assigned, states or "-"


def _facts(configuration: Configuration) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "identifier": configuration.identifier,
        "name": configuration.name,
        "description": configuration.description,
        "scope": configuration.scope,
        "assigned_to": [str(row.device or row.label) for row in configuration_status.assignments_of(configuration)],
        "states": configuration_status.counts([configuration]).get(configuration.pk, {}),
    }
    return facts | (_version(configuration.current) if configuration.current is not None else {})


def _version(version: ConfigurationVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "payloads": [payload.kind for payload in version.outline],
        "signer": version.signer or ("unknown" if version.is_signed else ""),
        "size": version.size,
        "uploaded_at": version.uploaded_at,
        "uploaded_by": version.uploaded_by,
    }


def _delivery(row: ConfigurationDelivery) -> dict[str, Any]:
    device = row.channel.enrollment.device
    return {
        "state": row.shown_state,
        "configuration": row.configuration.identifier,
        "device": str(device.uuid) if device is not None else None,
        "device_name": str(device) if device is not None else "",
        "user": row.channel.user_short_name or row.channel.user_key,
        "wanted": row.wanted.number if row.wanted is not None else None,
        "installed": row.installed.number if row.installed is not None else None,
        "command": str(row.command_uuid).upper() if row.command_uuid is not None else None,
        "error": {"code": row.error_code, "domain": row.error_domain, "text": row.error_text},
        "attempts": row.attempts,
        "changed_at": row.changed_at,
        "installed_at": row.installed_at,
        "checked_at": row.checked_at,
        "next_try_at": row.due_at,
    }


def _status_line(facts: Mapping[str, Any]) -> tuple[str, ...]:
    state, error = facts["state"], facts["error"]
    code = "" if error["code"] is None else f" ({error['domain']} {error['code']})"
    numbers = ("-" if facts[key] is None else str(facts[key]) for key in ("wanted", "installed"))
    why = f"{error['text']}{code}" if error["text"] else ""
    return state.label, facts["configuration"], facts["device_name"], facts["user"] or "-", *numbers, why


def _text(value: Any) -> str:
    match value:
        case datetime():
            return in_utc(value)
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{number} {state.label}" for state, number in value.items())
    return "-" if value in (None, "") else str(value)


def _table(rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return []
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
