"""What lies in the database under a field key."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db.models import BinaryField, ExpressionWrapper, F, Manager, QuerySet

from epmm.fields import EncryptedField

BATCH: Final = 500


def columns() -> Iterator[tuple[Manager[Any], EncryptedField]]:
    for model in apps.get_models():
        fields = [field for field in model._meta.concrete_fields if isinstance(field, EncryptedField)]
        if (manager := model._meta.default_manager) is not None:
            yield from ((manager, field) for field in fields)


def batches(manager: Manager[Any], field: EncryptedField) -> Iterator[Sequence[tuple[Any, bytes]]]:
    """All secrets of a column as they are stored, each with the primary key of its row."""
    rows = _rows(manager, field).order_by("pk")
    batch = list(rows[:BATCH])
    while batch:
        yield [(pk, bytes(sealed)) for pk, sealed in batch]
        batch = list(rows.filter(pk__gt=batch[-1][0])[:BATCH])


def key_wanted(field: EncryptedField, sealed: bytes) -> str | None:
    """The key that this secret was made with, unless the field keys open it."""
    try:
        field.open(sealed)
    except ImproperlyConfigured:
        return sealed.partition(b":")[0].decode(errors="replace")
    return None


def keys_wanted() -> dict[str, str]:
    """By model, going by the oldest and the newest secret of each column: `reencrypt` looks at all of them."""
    found = {}
    for manager, field in columns():
        rows = _rows(manager, field)
        for _pk, secret in [*rows.order_by("pk")[:1], *rows.order_by("-pk")[:1]]:
            if (key := key_wanted(field, bytes(secret))) is not None:
                found[manager.model._meta.label] = key
    return found


def _rows(manager: Manager[Any], field: EncryptedField) -> QuerySet[Any, tuple[Any, Any]]:
    unopened = ExpressionWrapper(F(field.attname), output_field=BinaryField())
    return manager.filter(**{f"{field.attname}__isnull": False}).values_list("pk", unopened)
