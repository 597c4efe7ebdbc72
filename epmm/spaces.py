"""Device spaces come later; what one of them would own carries its number all the same."""

from typing import Final

from django.db import models

GLOBAL_SPACE: Final = 1


def name_of(space_id: int) -> str:
    return "Global" if space_id == GLOBAL_SPACE else ""


class InSpace(models.Model):
    """A row that would be a space's own.  Whatever cannot be without such a row is in the space of that one.

    No PositiveIntegerField: for its CHECK PostgreSQL looks through a table that nobody can use meanwhile.
    """

    space_id = models.IntegerField(default=GLOBAL_SPACE, db_default=GLOBAL_SPACE)

    class Meta:
        abstract = True
