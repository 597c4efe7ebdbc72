import json
from argparse import ArgumentTypeError
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Q

from enrollment.models import Attempt
from enrollment.reasons import BY_CODE
from epmm.settings_store import whole_number

MOST: Final = 10_000


class Command(BaseCommand):
    help = "Show the newest enrollment attempts with each step, its result, and what to do about a refusal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("identifier", nargs="?", help="user ID or the address typed on the device")
        parser.add_argument("--limit", type=_limit, default=10)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        attempts = Attempt.objects.select_related("user").prefetch_related("steps").order_by("-pk")
        if name := options["identifier"]:
            attempts = attempts.filter(Q(identifier__iexact=name) | Q(user__user_id__iexact=name))
        shown = [_described(attempt) for attempt in attempts[: options["limit"]]]
        if options["json"]:
            self.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False))
            return
        for attempt in shown:
            self.stdout.write("{opened}  {identifier}  {family} {os_version}  {state}".format(**attempt))
            for step in attempt["steps"]:
                self.stdout.write("    {at}  {step:20} {result:8} {code} {advice}".format(**step).rstrip())


def _limit(text: str) -> int:
    if whole_number(text) not in range(1, MOST + 1):
        raise ArgumentTypeError(f"must be a number from 1 to {MOST}")
    return int(text)


def _described(attempt: Attempt) -> dict[str, Any]:
    return {
        "opened": f"{attempt.opened_at:%Y-%m-%d %H:%M:%S}",
        "identifier": attempt.identifier or "(no address)",
        "user": attempt.user.user_id if attempt.user else None,
        "family": attempt.model_family or attempt.product,
        "os_version": attempt.os_version,
        "state": attempt.state,
        "code": attempt.last_code,
        "steps": [
            {
                "at": f"{step.at:%H:%M:%S}",
                "step": step.step,
                "result": step.result,
                "code": step.code,
                "advice": str(BY_CODE[step.code].operator) if step.code in BY_CODE else "",
                "details": step.details,
            }
            for step in attempt.steps.all()
        ],
    }
