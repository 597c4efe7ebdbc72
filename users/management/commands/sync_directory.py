import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from users.errors import DirectoryError
from users.models import Directory
from users.services.directory import sync


class Command(BaseCommand):
    help = "Bring people and groups of a directory up to date now, and say what came of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--accept-losses", action="store_true", help="switch people off however many are not in the directory"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        directory = Directory.objects.filter(name__iexact=options["name"]).first()
        if directory is None:
            names = ", ".join(Directory.objects.order_by("name").values_list("name", flat=True))
            raise CommandError(_("There is no directory {name}.").format(name=options["name"]) + f" {names}".rstrip())
        if not directory.is_enabled:
            raise CommandError(_("{name} is disabled.").format(name=directory.name))
        try:
            row = sync.run_here(directory, accepts_losses=options["accept_losses"])
        except DirectoryError as error:
            raise CommandError(str(error)) from error
        if row is None:
            raise CommandError(_("The worker is syncing this directory just now."))
        if options["json"]:
            told = {"counts": row.counts, "problems": row.problems, "problem_count": row.problem_count}
            self.stdout.write(json.dumps(told, indent=2))
            return
        self.stdout.write(", ".join(f"{what}: {number}" for what, number in row.counts.items()))
        for sentence in row.problems:
            self.stderr.write(sentence)
