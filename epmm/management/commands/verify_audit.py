import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from epmm import audit_checks


class Command(BaseCommand):
    help = "Check that no entry of the audit log was changed, removed, or written afterwards."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", metavar="POSITION:DIGEST", help="as this command printed it before")

    def handle(self, *args: Any, **options: Any) -> None:
        report = audit_checks.check(actor="manage.py", noted=_noted(options["head"]))
        for note in report.notes:
            self.stdout.write(note)
        for problem in report.problems:
            self.stderr.write(problem)
        if report.problems:
            raise CommandError(f"The audit log is not whole (problems: {len(report.problems)}).")
        self.stdout.write(f"The audit log is whole: {report.sealed} entries, {report.waiting} wait for their link.")
        self.stdout.write(f"Note this, and give it as --head another time: {report.position}:{report.head.hex()}")


def _noted(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    if (found := re.fullmatch(r"([0-9]{1,18}):([0-9a-fA-F]{64})", text.strip())) is None:
        raise CommandError("--head is POSITION:DIGEST, as this command printed it before.")
    return int(found[1]), found[2]
