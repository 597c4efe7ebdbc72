"""Text that is compared without regard to case, on PostgreSQL and SQLite alike.

Their own functions differ: with PostgreSQL it is the locale that decides, SQLite knows ASCII alone.  So what people
name is folded here, and kept in a column of its own.
"""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


def fold(text: str) -> str:
    return text.casefold()


class FoldedField(models.TextField):  # type: ignore[type-arg] # not subscriptable at run time
    """Folded text.  Ordered by code point, as SQLite orders anyway; so an index serves its beginnings, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # a release that does not know the column writes rows all the same
        ours: dict[str, Any] = {"blank": True, "default": "", "db_default": "", "editable": False}
        super().__init__(*args, **(ours | kwargs))

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, str | None]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        return parameters | ({"collation": "C"} if connection.vendor == "postgresql" else {})
