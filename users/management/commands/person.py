from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.errors import PeopleError
from users.services import people

ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "Disable a person's account, or enable it again.  Devices stay as they are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("disable", "enable"))
        parser.add_argument("user_id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = people.set_active(
                people.by_user_id(options["user_id"]), is_active=options["what"] == "enable", actor=ACTOR
            )
        except PeopleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.user_id} can {'sign in' if user.is_active else 'no longer sign in'}.")
