"""What retention took from the beginning of the audit log: one row, which only the field keys can write.

It is encrypted for the sake of its authentication (AES-GCM): whoever has the database alone cannot say that something
was forgotten.  `reencrypt` moves it to a new key with all the rest.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from django.core.exceptions import ImproperlyConfigured

from epmm.models import AuditCheckpoint

THE_ONE: Final = 1
EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Forged(Exception):
    """No key of this installation made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    through: int  # the last position that went
    digest: bytes  # of its link
    entries: int  # how many went in all
    newest: datetime  # of these
    at: datetime  # when the last of them went
    days: int  # how old entries had to be then

    def __str__(self) -> str:
        return (
            f"Forgotten are {self.entries} entries through {self.through}, the newest of {self.newest:%Y-%m-%d}, "
            f"on {self.at:%Y-%m-%d}, when general.audit_days was {self.days}."
        )

    @property
    def is_old_enough(self) -> bool:
        return self.newest <= self.at - timedelta(days=self.days)

    def to_bytes(self) -> bytes:
        told = [self.through, self.digest.hex(), self.entries, self.newest.isoformat(), self.at.isoformat(), self.days]
        return json.dumps(told).encode()

    @classmethod
    def from_bytes(cls, told: bytes) -> Self:
        through, digest, entries, newest, at, days = json.loads(told)
        return cls(
            through=through,
            digest=bytes.fromhex(digest),
            entries=entries,
            newest=datetime.fromisoformat(newest),
            at=datetime.fromisoformat(at),
            days=days,
        )


NOTHING: Final = Checkpoint(through=0, digest=bytes(32), entries=0, newest=EVER, at=EVER, days=0)


def read() -> Checkpoint:
    try:
        row = AuditCheckpoint.objects.filter(pk=THE_ONE).first()
    except ImproperlyConfigured as error:
        raise Forged from error
    return NOTHING if row is None else Checkpoint.from_bytes(row.told)


def lock() -> None:
    """Until the transaction ends nobody else forgets anything."""
    AuditCheckpoint.objects.bulk_create([AuditCheckpoint(pk=THE_ONE, told=NOTHING.to_bytes())], ignore_conflicts=True)
    AuditCheckpoint.objects.select_for_update().values_list("pk").get(pk=THE_ONE)


def write(checkpoint: Checkpoint) -> None:
    AuditCheckpoint.objects.filter(pk=THE_ONE).update(told=checkpoint.to_bytes())
