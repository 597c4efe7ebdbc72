from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.errors import PeopleError
from users.models import AdminRole
from users.services import api_tokens, people

ACTOR: Final = "manage.py"
DAYS: Final = 90


class Command(BaseCommand):
    help = "Make an access token of the API for an administrator, list theirs, or revoke one.  It is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("create", "list", "revoke"))
        parser.add_argument("user_id")
        parser.add_argument("--name", default="manage.py", help="what it is for")
        parser.add_argument("--scope", action="append", default=[], help="an administrator role; again for more")
        parser.add_argument("--days", type=int, default=DAYS)
        parser.add_argument("--number", type=int, help="of the token to revoke, as `list` has it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = people.by_user_id(options["user_id"])
            if options["what"] == "create":
                scopes = options["scope"] or [role for role in user.admin_role_keys() if role != AdminRole.API]
                _row, token = api_tokens.create(
                    user, name=options["name"], scopes=scopes, days=options["days"], actor=ACTOR
                )
                self.stdout.write(token)
                return
        except PeopleError as error:
            raise CommandError(str(error)) from error
        theirs = api_tokens.of(user)
        if options["what"] == "list":
            for each in theirs:
                self.stdout.write(f"{each.pk}  {each.name}  until {each.expires_at:%Y-%m-%d}  {','.join(each.scopes)}")
            return
        found = theirs.filter(pk=options["number"] or 0).first()
        if found is None:
            raise CommandError("There is no such token. `list` shows them with their numbers.")
        api_tokens.revoke(found, actor=ACTOR)
        self.stdout.write(f"The token {found.name} opens nothing any more.")
