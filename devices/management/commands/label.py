import json
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.services import labels
from devices.services.find import DeviceNotFound, find_device
from devices.services.labels import LabelRefused

ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "Labels: named sets of devices, to which configurations are assigned."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="a label without members")
        create.add_argument("--description", default="")
        delete = actions.add_parser("delete", help="what was assigned to it goes from its members")
        add = actions.add_parser("add", help="make devices members of it")
        remove = actions.add_parser("remove", help="devices are no longer members of it")
        listed = actions.add_parser("list", help="list the labels, or the members of one")
        listed.add_argument("name", nargs="?")
        listed.add_argument("--json", action="store_true")
        for action in (create, delete, add, remove):
            action.add_argument("name")
        for action in (add, remove):
            action.add_argument("devices", nargs="+", metavar="device", help="UUID, UDID or serial number")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (LabelRefused, DeviceNotFound) as refused:
            raise CommandError(str(refused)) from refused

    def _create(self, options: dict[str, Any]) -> None:
        labels.create(options["name"], description=options["description"], actor=ACTOR)
        self.stdout.write("Created.")

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
            members = labels.find(options["name"]).devices.order_by("pk")
            found = [{"device": str(device.uuid), "name": str(device)} for device in members]
            lines = [f"{facts['device']}  {facts['name']}" for facts in found]
        else:
            found = labels.with_sizes()
            lines = [f"{facts['name']}  {facts['devices']}  {facts['description']}".rstrip() for facts in found]
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for line in lines:
            self.stdout.write(line)
