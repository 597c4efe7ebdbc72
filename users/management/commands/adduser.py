import sys
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.errors import InvalidPerson
from users.services import people

ACTOR: Final = "manage.py"


class Command(BaseCommand):
    help = "Add a person. Without --password-stdin the person has no password and signs in with a PIN."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id")
        parser.add_argument("--display-name", default="")
        parser.add_argument("--email", default="")
        parser.add_argument("--managed-apple-account")
        parser.add_argument("--role", action="append", default=[], metavar="KEY")
        parser.add_argument("--admin", action="store_true", help="the person may use the Admin Portal")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        new = people.NewPerson(
            user_id=options["user_id"],
            display_name=options["display_name"],
            email=options["email"],
            managed_apple_account=options["managed_apple_account"],
            password=read_password() if options["password_stdin"] else None,
            roles=options["role"],
            is_admin=options["admin"],
        )
        try:
            user = people.create(new, actor=ACTOR)
        except InvalidPerson as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.user_id} was added.")
        if new.password is None:
            self.stdout.write(f"Without a password only a PIN lets in: `manage.py pin {user.user_id}` issues one.")


def read_password() -> str:
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CommandError("The password on standard input is not valid text.") from error
