"""Taking one command out of the queue again."""

from django.db import transaction
from django.utils.translation import gettext as _

from devices.models import Command, ConfigurationDelivery, Device
from devices.services import departure
from devices.services.queue import CommandRefused
from epmm import audit


@transaction.atomic
def cancel(device: Device, command_id: int, *, actor: str, address: str | None = None) -> None:
    """A device that has it already may still carry it out, and then its answer counts.  Raises CommandRefused."""
    commands = Command.objects.filter(pk=command_id, channel__enrollment__device=device)
    row = commands.open().select_related(*departure.NEEDED).first()
    if row is None:
        raise CommandRefused(_("This command is finished."))
    if ConfigurationDelivery.objects.filter(command_id=row.pk).exists():
        raise CommandRefused(_("This command belongs to a configuration: take its assignment away instead."))
    if not commands.call_back():
        raise CommandRefused(_("This command is finished."))
    departure.refuse(row)
    audit.record(
        "command.cancelled",
        actor=actor,
        address=address,
        subject_type="device",
        subject=str(device.uuid),
        details={"command": str(row.uuid), "request_type": row.request_type},
    )
