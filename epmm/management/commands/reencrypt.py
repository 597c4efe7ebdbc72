from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import models, transaction
from django.db.models import BinaryField, Model
from django.db.models.functions import Substr

from epmm.fields import EncryptedField, field_keys

BATCH: Final = 500


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first of EPMM_FIELD_KEYS, so that the others can be put away."

    def handle(self, *args: Any, **options: Any) -> None:
        key_id = next(iter(field_keys(settings.FIELD_KEYS).by_id))
        count = sum(_renew(model, field, key_id) for model, field in _encrypted())
        self.stdout.write(f"{count} secrets are now under the key {key_id.decode()}; no stored secret needs another")


def _encrypted() -> Iterator[tuple[type[Model], EncryptedField]]:
    for model in apps.get_models():
        yield from ((model, field) for field in model._meta.concrete_fields if isinstance(field, EncryptedField))


def _renew(model: type[Model], field: EncryptedField, key_id: bytes) -> int:
    """A batch at a time, each row locked: what a device writes meanwhile is neither lost nor overwritten."""
    manager: models.Manager[Any] | None = model._meta.default_manager
    if manager is None:
        return 0
    prefix = key_id + b":"
    begins = Substr(field.attname, 1, len(prefix), output_field=BinaryField())
    rows: models.QuerySet[Any] = manager.annotate(begins=begins).exclude(begins=prefix)
    rows = rows.exclude(**{f"{field.attname}__isnull": True}).order_by("pk")
    count = 0
    while True:
        with transaction.atomic():
            batch = list(rows.select_for_update().values_list("pk", field.attname)[:BATCH])
            for key, value in batch:
                manager.filter(pk=key).update(**{field.attname: value})
        count += len(batch)
        if len(batch) < BATCH:
            return count
