import json
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from enrollment.services import registration
from users.errors import UnknownPerson
from users.services import people

ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "Issue a registration PIN and print it, once. It cancels the person's earlier PIN."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = people.by_user_id(options["user_id"])
        except UnknownPerson as error:
            raise CommandError(str(error)) from error
        digits = registration.issue_pin(user, ACTOR)
        if options["json"]:
            expires_at = user.registration_pins.standing().get().expires_at
            self.stdout.write(
                json.dumps({"user_id": user.user_id, "pin": digits, "expires_at": expires_at.isoformat()})
            )
        else:
            self.stdout.write(digits)
