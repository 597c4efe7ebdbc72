"""Which declarations each channel is to hold.  Sets are computed here, stored by their token, and announced."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from django.db import transaction
from django.utils import timezone

from devices.models import (
    Channel,
    Command,
    Declaration,
    DeclarationAssignment,
    DeclarationContent,
    DeclarationSet,
    Enrollment,
    Manifest,
)
from devices.protocol.commands import DeclarativeManagement
from devices.protocol.declarations import Capabilities, Holder
from devices.protocol.declarative.manifest import render_tokens
from devices.services.declaring import Wanted, alike, wanted
from devices.services.queue import queue_where_it_works
from devices.services.target import target_of
from epmm import options, settings_store
from epmm.given import update_each

KEPT: Final = timedelta(days=30)
TOUCHED_AFTER: Final = timedelta(hours=12)
# A device has more than a hundred columns, and every sync of every device asks for these.
NEEDED: Final = (
    "token",
    "changed_at",
    "served_token",
    "capabilities",
    "unsupported",
    "channel__user_key",
    "channel__enrollment__kind",
    "channel__enrollment__family",
    "channel__enrollment__access_rights",
    "channel__enrollment__profile_identifier",
    "channel__enrollment__device__platform",
    "channel__enrollment__device__os_version",
    "channel__enrollment__device__is_supervised",
)


def holder_of(row: DeclarationSet) -> Holder:
    target = target_of(row.channel)
    device = row.channel.enrollment.device
    return Holder(
        platform=target.platform,
        kind=target.kind,
        user_channel=target.user_channel,
        os_version=device.os_version if device is not None else "",
        capabilities=Capabilities.read(row.capabilities),
    )


def lock(channel: Channel) -> DeclarationSet:
    """The row of this channel, which is made for one that has none."""
    locked = DeclarationSet.objects.select_for_update().filter(pk=channel.pk)
    if (row := locked.first()) is None:
        DeclarationSet.objects.get_or_create(channel=channel)
        row = locked.get()
    return row


@transaction.atomic(savepoint=False)
def refresh(channels: Sequence[int], *, announce: bool) -> None:
    """Bring the sets of these channels up to date; with `announce`, tell the devices that are behind."""
    now = timezone.now()
    locked = DeclarationSet.objects.select_for_update(of=("self",)).order_by("pk")
    active = locked.filter(pk__in=channels, channel__enrollment__state=Enrollment.State.ACTIVE)
    rows = list(active.select_related("channel__enrollment__device").only(*NEEDED))
    assigned = _assigned(rows)
    organization = settings_store.read(options.ENTERPRISE_NAME)
    known: dict[Hashable, Wanted] = {}
    found: dict[int, Wanted] = {}
    for row in rows:
        holder = holder_of(row)
        declared = assigned.get((row.channel.enrollment.device_id, row.channel.user_key != ""), ())
        same = alike(row.channel, holder, declared)
        if same not in known:
            known[same] = wanted(row.channel, holder, declared, organization=organization)
        found[row.pk] = known[same]
    _store(known.values(), {row.served_token for row in rows}, now)
    update_each([row for row in rows if _differs(row, found[row.pk], now)], ["token", "changed_at", "unsupported"])
    behind = {row.pk: row for row in rows if row.token != row.served_token} if announce else {}
    if behind:
        to_tell = DeclarationSet.objects.filter(pk__in=behind).to_tell(now)
        tell([behind[key] for key in to_tell.values_list("pk", flat=True)], now)


def tell(rows: Iterable[DeclarationSet], now: datetime) -> None:
    """One command for each channel, unless one is on its way: that one leads to the same declarations."""
    behind = {row.pk: row for row in rows}
    on_its_way = Command.objects.open().filter(channel__in=behind, request_type=DeclarativeManagement.request_type)
    for key in set(on_its_way.values_list("channel_id", flat=True)):
        del behind[key]

    @cache
    def command(token: str, changed_at: datetime) -> DeclarativeManagement:
        return DeclarativeManagement(tokens=render_tokens(token=token, timestamp=changed_at))

    queue_where_it_works([(row.channel, command(row.token, row.changed_at)) for row in behind.values()])
    DeclarationSet.objects.filter(pk__in=behind).update(asked_at=now)


def forget_unused(now: datetime) -> None:
    """What no channel has been meant to hold for a month."""
    DeclarationContent.objects.filter(used_at__lt=now - KEPT).delete()
    Manifest.objects.filter(used_at__lt=now - KEPT).delete()


def _assigned(rows: Sequence[DeclarationSet]) -> Mapping[tuple[int | None, bool], list[Declaration]]:
    """Each is read once, however many have it."""
    devices = {row.channel.enrollment.device_id for row in rows}
    assignments = DeclarationAssignment.objects.filter(device__in=devices, declaration__removed_at=None)
    given = list(assignments.order_by("declaration_id").values_list("device_id", "for_users", "declaration_id"))
    declarations = Declaration.objects.defer("profile").in_bulk({key for _, _, key in given})
    found: dict[tuple[int | None, bool], list[Declaration]] = {}
    for device_id, for_users, key in given:
        if key in declarations:
            found.setdefault((device_id, for_users), []).append(declarations[key])
    return found


def _differs(row: DeclarationSet, found: Wanted, now: datetime) -> bool:
    if (row.token, row.unsupported) == (found.token, found.unsupported):
        return False
    if row.token != found.token:
        row.token, row.changed_at = found.token, now
    row.unsupported = found.unsupported
    return True


def _store(found: Iterable[Wanted], served: Iterable[str], now: datetime) -> None:
    """Each content once, however many hold it; what devices still may ask for counts as used.

    Sorted: two that write the same rows do not deadlock.
    """
    manifests, bodies = {}, {}
    for each in found:
        manifests[each.token] = [list(item) for item in each.items]
        bodies.update({rendered.item.server_token: rendered.body for rendered in each.rendered})
    known = dict(Manifest.objects.filter(pk__in={*manifests, *served}).values_list("pk", "used_at"))
    Manifest.objects.bulk_create(
        [
            Manifest(token=token, items=items, used_at=now)
            for token, items in sorted(manifests.items())
            if token not in known
        ],
        ignore_conflicts=True,
    )
    stale = [token for token, used_at in known.items() if used_at < now - TOUCHED_AFTER]
    old = [token for items in _items_of(stale) for _, _, token in items]
    if stale:
        Manifest.objects.filter(pk__in=stale).update(used_at=now)
    contents = DeclarationContent.objects.filter(pk__in={*bodies, *old})
    known = dict(contents.values_list("pk", "used_at"))
    DeclarationContent.objects.bulk_create(
        [
            DeclarationContent(server_token=token, body=body, used_at=now)
            for token, body in sorted(bodies.items())
            if token not in known
        ],
        ignore_conflicts=True,
    )
    if any(used_at < now - TOUCHED_AFTER for used_at in known.values()):
        contents.filter(used_at__lt=now - TOUCHED_AFTER).update(used_at=now)


def _items_of(tokens: Sequence[str]) -> list[list[list[str]]]:
    return list(Manifest.objects.filter(pk__in=tokens).values_list("items", flat=True)) if tokens else []
