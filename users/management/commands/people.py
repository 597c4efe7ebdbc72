from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from epmm.imports import FieldChange, ImportRefused, Report, shown
from epmm.row_files import Form, write
from users.errors import PeopleError
from users.models import AdminRole
from users.services import people_files, people_import

ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "People and their roles as a file."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="write everybody to the standard output")
        bring = actions.add_parser("import", help="add and change people; who is not in the file stays")
        bring.add_argument("file")
        bring.add_argument("--dry-run", action="store_true", help="tell every change, and make none")
        bring.add_argument("--partial", action="store_true", help="where some rows are wrong, go on with the others")
        for action in (export, bring):
            action.add_argument("--format", choices=list(Form), default=Form.CSV)

    def handle(self, *args: Any, **options: Any) -> None:
        form = Form(options["format"])
        if options["action"] == "export":
            for piece in write(people_files.rows(), form, people_files.COLUMNS):
                self.stdout.write(piece, ending="")
            return
        try:
            content = Path(options["file"]).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error
        given = {"dry_run": options["dry_run"], "partial": options["partial"]}
        try:
            report = people_import.run(content, form, actor=ACTOR, actor_roles=AdminRole.values, **given)
        except (ImportRefused, PeopleError) as error:
            raise CommandError(str(error)) from error
        self._tell(report)
        if not report.is_applied and not options["dry_run"]:
            raise CommandError("Nothing was changed.")

    def _tell(self, report: Report[Any]) -> None:
        for change in report.changes:
            for each in change.fields:
                self.stdout.write(f"line {change.line}: {change.name}: {_line(each)}")
        for fault in report.faults:
            self.stderr.write(f"line {fault.line}: {fault.sentence}")
        numbers = f"{report.created} new, {report.changed} changed, {report.unchanged} as they were"
        self.stdout.write(f"{report.rows} rows: {numbers}, {len(report.faults)} refused.")


def _line(change: FieldChange) -> str:
    return f"{change.name}: {shown(change.before)} -> {shown(change.after)}"
