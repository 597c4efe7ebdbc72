from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from epmm import backup, bootstrap, locks


class Command(BaseCommand):
    help = "Put a backup in the place of the database of an embedded installation, which must not run."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="set the present database aside, and take this one")

    def handle(self, *args: Any, **options: Any) -> None:
        if not bootstrap.is_embedded():
            raise CommandError("this installation is not on SQLite: use pg_restore, see docs/operations.md")
        source: Path = options["file"]
        directory: Path = settings.DATA_DIR
        try:
            if not source.is_file():
                raise CommandError(f"there is no file {source}")
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with ExitStack() as stack:
                for name in ("up.lock", "children.lock"):
                    stack.enter_context(locks.held(directory / name))
                self._restore(source, directory, replace=options["replace"])
        except locks.LockedError:
            raise CommandError(f"EPMM is running on {directory}: stop it first") from None
        except backup.UnusableBackup as error:
            raise CommandError(f"{source} cannot be restored: {error}") from error
        except OSError as error:
            raise CommandError(f"{source} cannot be restored into {directory}: {error.strerror}") from error

    def _restore(self, source: Path, directory: Path, *, replace: bool) -> None:
        if not replace and any((directory / name).exists() for name in backup.DATABASE_FILES):
            raise CommandError(f"{directory} holds a database; --replace sets it aside")
        aside = directory / f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        with backup.laid_out(source, directory=directory) as draft:
            has_secrets = backup.has_secrets(draft)
            if not has_secrets and bootstrap.lacks_secrets():
                raise CommandError(
                    f"{source} holds no secrets: put secret_key and field_keys, which it was made with, into "
                    f"{directory / 'secrets'} first"
                )
            is_aside = backup.put_in_place(draft, directory=directory, aside=aside)
        self.stdout.write(f"restored from {source}" + (f"; what was there is in {aside}" if is_aside else ""))
        if not has_secrets:
            self.stdout.write("It holds no secrets: the keys it was made with must be in place before the next start.")
