"""The migrations that squashed ones replace, for tests of what they do: Django leaves them out where those can be used.

`python -m tests.unsquashed migrate devices 0009` is what it would be if they had never been squashed.
"""

import sys

from django.core.management import execute_from_command_line
from django.db.migrations import executor
from django.db.migrations.loader import MigrationLoader


class Loader(MigrationLoader):
    def load_disk(self) -> None:
        super().load_disk()
        squashed = {key: each for key, each in self.disk_migrations.items() if each.replaces}
        for key in squashed:
            del self.disk_migrations[key]
        for later in self.disk_migrations.values():
            needed = [squashed[each].replaces[-1] if each in squashed else each for each in later.dependencies]
            later.dependencies = needed  # type: ignore[misc] # as Django does for each of its own


if __name__ == "__main__":
    executor.MigrationLoader = Loader  # type: ignore[attr-defined] # for this process
    execute_from_command_line(sys.argv)
