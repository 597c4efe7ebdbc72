from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.errors import PeopleError
from users.models import Role
from users.services import people, roles

ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "Grant roles to a person, or remove them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id")
        parser.add_argument("keys", nargs="+", metavar="key", help=f"one or more of {', '.join(Role.values)}")
        parser.add_argument("--managed-apple-account")
        parser.add_argument("--remove", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        keys, account = options["keys"], options["managed_apple_account"]
        if options["remove"] and account is not None:
            raise CommandError("--managed-apple-account goes with granting, not with --remove.")
        try:
            user = people.by_user_id(options["user_id"])
            if options["remove"]:
                roles.remove(user, keys, actor=ACTOR)
            else:
                roles.grant(user, keys, actor=ACTOR, managed_apple_account=account)
        except PeopleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.user_id} has: {', '.join(sorted(user.role_keys())) or 'no role'}")
        if not options["remove"]:
            for said in roles.without_effect(keys):
                self.stderr.write(said, self.style.WARNING)
