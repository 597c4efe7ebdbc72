"""What the commands that import have in common: a file is read, and what became of its rows is told."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from epmm import row_files
from epmm.imports import Report, shown
from epmm.row_files import Form

ACTOR: Final = "manage.py"


def bring(command: BaseCommand, run: Callable[..., Report[Any]], options: Mapping[str, Any]) -> None:
    """Raises CommandError, ImportRefused, and what `run` raises."""
    try:
        content = row_files.text(Path(options["file"]).read_bytes())
    except OSError as error:
        raise CommandError(f"{options['file']} cannot be read: {error}") from error
    given = {name: options[name] for name in ("dry_run", "partial")}
    report = run(content, Form(options["format"]), actor=ACTOR, **given)
    _tell(command, report)
    if report.faults:
        raise CommandError("The other rows are in place." if report.is_applied else "Nothing was changed.")


def _tell(command: BaseCommand, report: Report[Any]) -> None:
    for change in report.changes:
        for each in change.fields:
            said = f"{each.name}: {shown(each.before)} -> {shown(each.after)}"
            command.stdout.write(f"line {change.line}: {change.name}: {said}")
    for fault in report.faults:
        command.stderr.write(f"line {fault.line}: {fault.sentence}")
    numbers = f"{report.created} new, {report.changed} changed, {report.unchanged} as they were"
    command.stdout.write(f"{report.rows} rows: {numbers}, {len(report.faults)} refused.")
