import json
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from enrollment.services import doctor
from enrollment.services.findings import Verdict

MARK: Final = {Verdict.OK: "ok  ", Verdict.WARNING: "warn", Verdict.STOPS: "STOP"}


class Command(BaseCommand):
    help = "Say what would stop a person enrolling a device now; exit status 0 only when nothing would."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("identifier", nargs="?", help="user ID or the address typed on the device")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in doctor.examine(options["identifier"]):
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(f"{MARK[finding.verdict]}  {finding.subject}: {finding.sentence}".rstrip(": "))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        stopping = [finding.subject for finding in findings if finding.verdict is Verdict.STOPS]
        if stopping:
            raise CommandError(f"Stopped by: {', '.join(stopping)}")
