from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Final

from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from epmm.fields import EncryptedField

TOUCHED_EVERY: Final = timedelta(days=1)


class PayloadManager(models.Manager["Payload"]):
    def of(self, rendered: Sequence[bytes]) -> list["Payload"]:
        """A row for each, in their order; most are there already, and then this is one read."""
        digests = {each: _digest(each) for each in set(rendered)}  # many get the same
        wanted = {digest: each for each, digest in digests.items()}
        now = timezone.now()
        fresh = self.filter(digest__in=wanted, used_at__gte=now - TOUCHED_EVERY).defer("rendered")
        found = {row.digest: row for row in fresh}
        missing = [
            Payload(digest=digest, rendered=wanted[digest], used_at=now)
            for digest in sorted(wanted.keys() - found.keys())  # sorted: two that write the same rows do not deadlock
        ]
        # also of rows not used for long, which might be deleted at this moment
        written = self.bulk_create(missing, update_conflicts=True, unique_fields=["digest"], update_fields=["used_at"])
        found |= {row.digest: row for row in written}
        for digest, row in found.items():
            row.rendered = wanted[digest]
        return [found[digests[each]] for each in rendered]


class Payload(models.Model):
    """What a command says, whoever it goes to: rendered once, sealed (it may hold a PIN or a key), shared.

    `rendered` is the property list as `devices.protocol.stamp` takes it.
    """

    # keyed: a PIN must not be found out by trying the few there are
    digest = models.CharField(max_length=64, unique=True)
    rendered = EncryptedField()
    used_at = models.DateTimeField(default=timezone.now)  # to a day: what nothing refers to any more is forgotten

    objects: ClassVar[PayloadManager] = PayloadManager()

    def __str__(self) -> str:
        return self.digest[:8]


def _digest(rendered: bytes) -> str:
    return salted_hmac("devices.payload", rendered, algorithm="sha256").hexdigest()
