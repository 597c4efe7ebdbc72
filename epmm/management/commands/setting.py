import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from epmm import settings_store


class Command(BaseCommand):
    help = "List the settings, show one, or change one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?")
        parser.add_argument("value", nargs="?")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        name, value = options["name"], options["value"]
        if name is not None and name not in settings_store.REGISTRY:
            raise CommandError(f"There is no setting {name}. `manage.py setting` lists them all.")
        if value is not None:
            self._change(name, value)
        chosen = [name] if name is not None else sorted(settings_store.REGISTRY)
        values = {item: settings_store.shown(settings_store.REGISTRY[item]) for item in chosen}
        if options["json"]:
            self.stdout.write(json.dumps(values, indent=2))
        elif name is not None:
            self.stdout.write(values[name])
        else:
            for item, shown in values.items():
                setting = settings_store.REGISTRY[item]
                self.stdout.write(f"{item} = {shown}\n    {setting.help} ({setting.accepts})")

    def _change(self, name: str, value: str) -> None:
        try:
            settings_store.change(name, value, actor="manage.py")
        except settings_store.InvalidSetting as error:
            raise CommandError(f"{name} accepts {error}") from error
