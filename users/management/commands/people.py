from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from epmm.import_command import bring
from epmm.imports import ImportRefused
from epmm.row_files import Form, write
from users.errors import PeopleError
from users.models import AdminRole
from users.services import people_files, people_import


class Command(BaseCommand):
    help = "People and their roles as a file."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="write everybody to the standard output")
        imported = actions.add_parser("import", help="add and change people; who is not in the file stays")
        imported.add_argument("file")
        imported.add_argument("--dry-run", action="store_true", help="tell every change, and make none")
        imported.add_argument("--partial", action="store_true", help="where some rows are wrong, go on with the others")
        for action in (export, imported):
            action.add_argument("--format", choices=list(Form), default=Form.CSV)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "export":
            for piece in write(people_files.rows(), Form(options["format"]), people_files.COLUMNS):
                self.stdout.write(piece, ending="")
            return
        try:
            bring(self, partial(people_import.run, actor_roles=AdminRole.values), options)
        except (ImportRefused, PeopleError) as error:
            raise CommandError(str(error)) from error
