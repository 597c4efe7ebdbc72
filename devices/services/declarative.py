"""Declarative management of one channel: switching it on, and answering what its device asks.

Everything between two manifests comes from the set that the first one listed (protocol reference, 7.7): a declaration
that was changed meanwhile is served as it was, and the change is announced afterwards.
"""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from devices.errors import DeclarationGone
from devices.models import (
    Channel,
    Command,
    DeclarationContent,
    DeclarationSet,
    Device,
    Enrollment,
    Manifest,
    os_version_number,
)
from devices.models.declaration import HELD_UP, OFFER_STANDS
from devices.protocol.commands import DeclarativeManagement, Platform
from devices.protocol.declarations import DeclarationKind
from devices.protocol.declarations.reach import EITHER, At, Facts, why_unreachable
from devices.protocol.declarative.manifest import Item, render_manifest, render_tokens
from devices.services import declaration_sets

PROTOCOL: Final = Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER)
CHUNK: Final = 200
CHUNKS_AT_ONCE: Final = 25


def switch_on(enrollment: Enrollment) -> None:
    """Once for each channel, when its device is known well enough to tell whether it can."""
    channels = enrollment.channels.filter(Q(declaration_set=None) | Q(declaration_set__asked_at=None))
    begin([channel.pk for channel in channels])


@transaction.atomic
def begin(channels: list[int]) -> None:
    DeclarationSet.objects.bulk_create([DeclarationSet(channel_id=key) for key in channels], ignore_conflicts=True)
    rows = DeclarationSet.objects.filter(pk__in=channels).select_related("channel__enrollment__device")
    able = [
        row.pk
        for row in rows.only(*declaration_sets.NEEDED)
        if why_unreachable(DeclarativeManagement.request_type, PROTOCOL, declaration_sets.holder_of(row)) is None
    ]
    DeclarationSet.objects.filter(pk__in=channels).exclude(pk__in=able).delete()
    declaration_sets.refresh(able, announce=True)


@transaction.atomic
def tokens(channel: Channel) -> bytes:
    """What the device would find; if that is news to it, the manifest it asks for next is this one."""
    declaration_sets.lock(channel)
    declaration_sets.refresh([channel.pk], announce=False)
    row, now = DeclarationSet.objects.get(pk=channel.pk), timezone.now()
    row.heard_at = row.offered_at = now
    row.offered_token = row.token if row.token != row.served_token else ""
    row.save(update_fields=["heard_at", "offered_at", "offered_token"])
    return render_tokens(token=row.token, timestamp=row.changed_at)


def manifest(channel: Channel, *, came_at: datetime | None = None) -> bytes:
    """`came_at`: when the request did.  A little before the last manifest was served: it is a copy, or was held up, and
    whoever sent it gets the same, of which its device may be fetching the declarations.
    """
    came_at = came_at or timezone.now()
    with transaction.atomic():
        row, now = declaration_sets.lock(channel), timezone.now()
        if row.items_served_at is not None and came_at <= row.items_served_at <= min(now, came_at + HELD_UP):
            return render_manifest(_items_of(row.served_token) or [], token=row.served_token)
        token = row.offered_token if _stands(row, now) else row.token
        items = _items_of(token)
        if not token or items is None:
            declaration_sets.refresh([channel.pk], announce=False)
            row.refresh_from_db()
            token = row.token
            items = _items_of(token)
        row.served_token, row.items_served_at, row.offered_token, row.heard_at = token, now, "", now
        row.save(update_fields=["served_token", "items_served_at", "offered_token", "heard_at"])
        return render_manifest(items or [], token=token)


def declaration(channel: Channel, kind: DeclarationKind, identifier: str) -> bytes:
    """As the last manifest had it."""
    served = DeclarationSet.objects.filter(pk=channel.pk).values_list("served_token", flat=True).first()
    for item in _items_of(served or "") or []:
        if (item.kind, item.identifier) == (kind.value, identifier):
            content = DeclarationContent.objects.filter(pk=item.server_token).first()
            if content is not None:
                return bytes(content.body)
    raise DeclarationGone


def tidy() -> None:
    """Each some hundred rows at a time, and not for longer than a job may run."""
    for work in (switch_on_newcomers, tell_those_behind):
        for _ in range(CHUNKS_AT_ONCE):
            if work() < CHUNK:
                break


def tell_those_behind() -> int:
    """Channels whose command was answered before the set changed, and those for which there was none; how many."""
    open_one = Command.objects.open().filter(channel=OuterRef("pk"), request_type=DeclarativeManagement.request_type)
    due = DeclarationSet.objects.to_tell(timezone.now()).filter(channel__enrollment__state=Enrollment.State.ACTIVE)
    keys = list(due.exclude(Exists(open_one)).order_by("asked_at").values_list("pk", flat=True)[:CHUNK])
    declaration_sets.refresh(keys, announce=True)
    return len(keys)


def switch_on_newcomers() -> int:
    """Channels that opened after the first inventory, and devices whose system has become new enough; how many."""
    able = Q()
    for platform in Platform:
        at = PROTOCOL.on(platform)
        lowest = os_version_number(at.version) if at else None
        able |= Q(enrollment__device__platform=platform.value, enrollment__device__os_version_number__gte=lowest)
    waiting = Channel.objects.filter(able, declaration_set=None, enrollment__state=Enrollment.State.ACTIVE)
    known = waiting.filter(enrollment__device__inventory_at__isnull=False).exclude(
        enrollment__device__status__in=(Device.Status.WIPE_PENDING, Device.Status.RETIRE_PENDING)
    )
    keys = list(known.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    begin(keys)
    return len(keys)


def _stands(row: DeclarationSet, now: datetime) -> bool:
    return row.offered_token != "" and row.offered_at is not None and now - row.offered_at < OFFER_STANDS


def _items_of(token: str) -> list[Item] | None:
    items = Manifest.objects.filter(pk=token).values_list("items", flat=True).first() if token else None
    return None if items is None else [Item(*item) for item in items]
