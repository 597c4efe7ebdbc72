import json
from functools import partial
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.services import label_files, label_members, labels
from devices.services.find import DeviceNotFound, find_device
from devices.services.labels import LabelRefused
from devices.services.search import SearchRefused
from epmm.import_command import bring
from epmm.imports import ImportRefused
from epmm.row_files import Form, write
from users.models import AdminRole

ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "Labels: named sets of devices, to which configurations are assigned."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="a label without members, or one with criteria")
        create.add_argument("--description", default="")
        create.add_argument("--criteria", metavar="EXPRESSION", help="which devices belong to it: docs/search.md")
        change = actions.add_parser("change", help="give it other criteria")
        change.add_argument("--criteria", metavar="EXPRESSION", required=True)
        delete = actions.add_parser("delete", help="what was assigned to it goes from its members")
        add = actions.add_parser("add", help="make devices members of it")
        remove = actions.add_parser("remove", help="devices are no longer members of it")
        listed = actions.add_parser("list", help="list the labels, or the members of one")
        listed.add_argument("name", nargs="?")
        listed.add_argument("--json", action="store_true")
        export = actions.add_parser("export", help="write all labels to the standard output")
        imported = actions.add_parser("import", help="add and change labels")
        imported.add_argument("file")
        imported.add_argument("--dry-run", action="store_true", help="tell every change, and make none")
        imported.add_argument("--partial", action="store_true", help="where some rows are wrong, go on with the others")
        for action in (export, imported):
            action.add_argument("--format", choices=list(Form), default=Form.CSV)
        for action in (create, change, delete, add, remove):
            action.add_argument("name")
        for action in (add, remove):
            action.add_argument("devices", nargs="+", metavar="device", help="UUID, UDID or serial number")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (LabelRefused, DeviceNotFound, SearchRefused, ImportRefused) as refused:
            raise CommandError(str(refused)) from refused

    def _create(self, options: dict[str, Any]) -> None:
        labels.create(options["name"], description=options["description"], criteria=options["criteria"], actor=ACTOR)
        self.stdout.write("Created.")

    def _change(self, options: dict[str, Any]) -> None:
        labels.change_criteria(labels.find(options["name"]), options["criteria"], actor=ACTOR)
        self.stdout.write("Changed.")

    def _delete(self, options: dict[str, Any]) -> None:
        labels.delete(labels.find(options["name"]), actor=ACTOR)
        self.stdout.write("Deleted.")

    def _add(self, options: dict[str, Any]) -> None:
        label, devices = labels.find(options["name"]), [find_device(name) for name in options["devices"]]
        added = sum(labels.add(label, device, actor=ACTOR) for device in devices)
        self.stdout.write(f"{added} of {len(devices)} devices are new members.")

    def _remove(self, options: dict[str, Any]) -> None:
        label, devices = labels.find(options["name"]), [find_device(name) for name in options["devices"]]
        removed = sum(labels.remove(label, device, actor=ACTOR) for device in devices)
        self.stdout.write(f"{removed} of {len(devices)} devices are no longer members.")

    def _list(self, options: dict[str, Any]) -> None:
        if options["name"] is not None:
            members = label_members.members(labels.find(options["name"])).defer("details").order_by("pk")
            found = [{"device": str(device.uuid), "name": str(device)} for device in members.iterator(chunk_size=1000)]
            lines = [f"{facts['device']}  {facts['name']}" for facts in found]
        else:
            found = labels.with_sizes()
            lines = [_line(facts) for facts in found]
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for line in lines:
            self.stdout.write(line)

    def _export(self, options: dict[str, Any]) -> None:
        for piece in write(label_files.rows(), Form(options["format"]), label_files.COLUMNS):
            self.stdout.write(piece, ending="")

    def _import(self, options: dict[str, Any]) -> None:
        bring(self, partial(label_files.run, actor_roles=AdminRole.values), options)


def _line(facts: dict[str, Any]) -> str:
    devices = "?" if facts["devices"] is None else f"{facts['devices']}{'+' * facts['is_capped']}"
    return "  ".join(filter(None, (facts["name"], devices, facts["description"], facts["criteria"])))
