import json
from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.models import os_version_number
from enrollment.services import doctor
from enrollment.services.findings import Verdict
from epmm.option_texts import FAMILIES

MARK: Final = {Verdict.OK: "ok  ", Verdict.WARNING: "warn", Verdict.STOPS: "STOP"}


class Command(BaseCommand):
    help = "Say what would stop a person enrolling a device now; exit status 0 only when nothing would."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("identifier", nargs="?", help="user ID or the address typed on the device")
        parser.add_argument("--family", choices=FAMILIES, help="of the device; all when left out")
        parser.add_argument("--os-version", type=_version, metavar="VERSION", help="of its system, with --family")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        identifier, family, os_version = options["identifier"], options["family"] or "", options["os_version"] or ""
        if (family and not identifier) or (os_version and not family):
            raise CommandError("--os-version goes with --family, and --family with an identifier.")
        findings = []
        for finding in doctor.examine(identifier, family=family, os_version=os_version):
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(f"{MARK[finding.verdict]}  {finding.subject}: {finding.sentence}".rstrip(": "))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        stopping = [finding.subject for finding in findings if finding.verdict is Verdict.STOPS]
        if stopping:
            raise CommandError(f"Stopped by: {', '.join(stopping)}")


def _version(text: str) -> str:
    if os_version_number(text) is None:
        raise ArgumentTypeError(f"{text!r} is no version such as 18.2.")
    return text
