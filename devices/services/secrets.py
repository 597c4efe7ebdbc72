"""What devices handed over that opens them: sealed in the database, shown to whoever asks, and the asking audited."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from devices.models import Device, Enrollment, Secret
from devices.services.record import CLOCKS_APART
from epmm import audit


class NoSecret(Exception):
    """The argument is a sentence for the administrator."""


def keep(enrollment: Enrollment, secrets: Mapping[str, bytes], received_at: datetime) -> None:
    """The newest of each name.  Call it within a transaction."""
    for name, value in secrets.items():
        new = {"value": value, "received_at": received_at}
        row, is_new = Secret.objects.select_for_update().get_or_create(enrollment=enrollment, name=name, defaults=new)
        # one that lies ahead came while the clock did
        if not is_new and (row.received_at <= received_at or row.received_at > timezone.now() + CLOCKS_APART):
            row.value, row.received_at = value, received_at
            row.save(update_fields=["value", "received_at"])


def names_of(device: Device) -> list[str]:
    """What there is; not what it says."""
    return sorted(set(_of(device).values_list("name", flat=True)))


def held(device: Device) -> dict[str, bool]:
    """Whether we hold the two tokens that a device escrows while it is enrolled; never what they are."""
    standing = device.enrollments.active()
    return {
        "bootstrap_token_escrowed": standing.filter(bootstrap_token__isnull=False).exists(),
        "unlock_token_escrowed": standing.filter(unlock_token__isnull=False).exists(),
    }


@transaction.atomic
def reveal(device: Device, name: str, *, actor: str, address: str | None = None) -> bytes:
    """A wiped or retired device may need it more than ever: that its enrollment has ended does not matter."""
    secret = _of(device).filter(name=name).first()
    if secret is None:
        raise NoSecret(f"This device has given us no {name}.")
    audit.record(
        "secret.revealed",
        actor=actor,
        address=address,
        subject_type="device",
        subject=str(device.uuid),
        details={"name": name},
    )
    return bytes(secret.value)


def _of(device: Device) -> QuerySet[Secret]:
    return Secret.objects.filter(enrollment__device=device).order_by("-received_at", "-pk")
