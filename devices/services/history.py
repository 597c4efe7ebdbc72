"""One command, or a device's last ones, in whichever table they stand.

The tables are read in the order in which a command passes them: one that moves meanwhile is seen twice, never missed.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from devices.models import Channel, Command, CommandRow, Device, FinishedCommand, Result

_NOT_FOR_LISTS: Final = "body"


def find(uuid: UUID) -> CommandRow | None:
    found: CommandRow | None = None
    for rows in _tables():
        found = rows.filter(uuid=uuid).first() or found
    return found


def newest(device: Device, limit: int, *, before: int | None = None) -> list[CommandRow]:
    """The newest first, without what devices answered; as many reads however long the history."""
    return of_channels(
        list(Channel.objects.filter(enrollment__device=device).values_list("pk", flat=True)), limit, before=before
    )


def of_channels(channels: Sequence[int], limit: int, *, before: int | None = None) -> list[CommandRow]:
    """`before`: the key of a command; those that were queued before it."""
    found: dict[int, CommandRow] = {}
    for rows in _tables():
        wanted = [field.name for field in rows.model._meta.concrete_fields if field.name != _NOT_FOR_LISTS]
        of_device = rows.filter(channel__in=channels).select_related("channel").order_by("-pk")
        of_device = of_device if before is None else of_device.filter(pk__lt=before)
        found |= {row.pk: row for row in of_device.only(*wanted, "channel__user_key")[:limit]}
    return sorted(found.values(), key=lambda row: row.pk, reverse=True)[:limit]


def _tables() -> tuple[QuerySet[Any], ...]:
    return Command.objects.all(), Result.objects.all(), FinishedCommand.objects.all()
