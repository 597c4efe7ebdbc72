"""Taking commands out of the queue again."""

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from devices.models import Command, ConfigurationDelivery, Device
from devices.models.command import CommandQuerySet
from devices.services import departure
from devices.services.queue import CommandRefused
from epmm import audit


@transaction.atomic
def cancel(device: Device, command_id: int, *, actor: str, address: str | None = None) -> None:
    """A device that has it already may still carry it out, and then its answer counts.  Raises CommandRefused."""
    commands = Command.objects.filter(pk=command_id, channel__enrollment__device=device)
    if commands.open().filter(_of_configuration()).exists():
        raise CommandRefused(_("This command belongs to a configuration: take its assignment away instead."))
    if not cancel_each(commands, actor=actor, address=address):
        raise CommandRefused(_("This command is finished."))


@transaction.atomic
def cancel_each(commands: CommandQuerySet, *, actor: str, address: str | None = None) -> int:
    """The first thousand that can be; what belongs to a configuration stays.  Return how many."""
    rows = commands.exclude(_of_configuration()).select_related(*departure.NEEDED).call_back()
    departure.refuse(*rows)
    told = [(_subject(row), {"command": str(row.uuid), "request_type": row.request_type}) for row in rows]
    audit.record_each("command.cancelled", told, actor=actor, address=address, subject_type="device")
    return len(rows)


def _of_configuration() -> Exists:
    return Exists(ConfigurationDelivery.objects.filter(channel=OuterRef("channel"), command_id=OuterRef("pk")))


def _subject(row: Command) -> str:
    device = row.channel.enrollment.device
    return str(device.uuid) if device else ""
