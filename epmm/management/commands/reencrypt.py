from collections import Counter
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Manager

from epmm import sealed
from epmm.fields import EncryptedField, field_keys


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first of EPMM_FIELD_KEYS, so that the others can be put away."

    def handle(self, *args: Any, **options: Any) -> None:
        key_id = next(iter(field_keys(settings.FIELD_KEYS).by_id))
        count, closed = 0, Counter[str]()
        for manager, field in sealed.columns():
            for batch in sealed.batches(manager, field):
                wanted = {pk: sealed.key_wanted(field, secret) for pk, secret in batch}
                closed.update(key for key in wanted.values() if key is not None)
                old = [pk for pk, secret in batch if wanted[pk] is None and not secret.startswith(key_id + b":")]
                if old:
                    count += _renew(manager, field, old)
        said = f"{count} secrets are now under the key {key_id.decode()}"
        if closed:
            raise CommandError(
                f"{said}; {closed.total()} cannot be opened and stay as they are. "
                f"EPMM_FIELD_KEYS must hold the very keys that they were made with: {', '.join(sorted(closed))}."
            )
        self.stdout.write(f"{said}; no stored secret needs another")


@transaction.atomic
def _renew(manager: Manager[Any], field: EncryptedField, ids: Collection[Any]) -> int:
    """Each row locked: what a device writes meanwhile is neither lost nor overwritten."""
    rows = manager.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk", field.attname)
    for key, value in rows:
        manager.filter(pk=key).update(**{field.attname: value})
    return len(rows)
