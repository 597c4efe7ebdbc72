"""Rows of which thousands are read in a second."""

from collections.abc import Collection
from typing import Any, Self

from django.db import models
from django.db.models.base import ModelState


class Loaded(models.Model):
    """What the database returned is taken as it is.

    Django sets one column of the table after the other, whether it was read or not, and says before and after that a
    row is made: for a wide table that takes longer than to read it.  So nobody may listen to `pre_init` or `post_init`
    here, and no model define `__init__`.
    """

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **_options: Any) -> Self:
        state = ModelState()
        state.adding, state.db = False, db
        row = cls.__new__(cls)
        vars(row).update(zip(field_names, values, strict=True), _state=state)
        return row
