import sqlite3
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from epmm import backup, bootstrap


class Command(BaseCommand):
    help = "Copy the database of an embedded installation into one file, while it runs."
    requires_system_checks = ()  # an installation that is not in order needs its backup most

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--with-secrets", action="store_true", help="also the keys that open what is encrypted in it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["file"]
        if not bootstrap.is_embedded():
            raise CommandError(f"this installation is on {connection.vendor}: use pg_dump, see docs/operations.md")
        if target.exists():
            raise CommandError(f"{target} is there already")
        directory: Path = settings.DATA_DIR
        with_secrets: bool = options["with_secrets"]
        try:
            if not (directory / backup.DATABASE).exists() or not backup.has_tables(directory / backup.DATABASE):
                raise CommandError(f"{directory} holds no installation: --data or EPMM_DATA_DIR says where one is")
            backup.write(target, directory=directory, with_secrets=with_secrets)
        except OSError as error:
            raise CommandError(f"{target} was not written: {error.strerror}") from error
        except sqlite3.Error as error:
            raise CommandError(f"{target} was not written: {error}") from error
        self.stdout.write(f"{target}: {'database and secrets' if with_secrets else 'database, without its secrets'}")
