"""What a device is to hold and what it says of it, for an administrator."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from devices.models import Channel, ChannelStatus, DeclarationSet, DeclarationState, Device, Manifest
from devices.protocol.declarative.status import StateKey
from epmm.numbers import in_utc

NOT_YET: Final = "not reported"
REPORTED: Final = ("items", "errors")
Told = Mapping[StateKey, DeclarationState]


def of_device(device: Device, *, with_status: bool = False) -> list[dict[str, Any]]:
    """Each channel of the enrollment that stands, the device's own first; fifty users cost as many statements as one.

    `with_status`: also what it has reported of itself, up to four megabytes for each channel.
    """
    channels = Channel.objects.filter(enrollment__in=device.enrollments.active()).order_by("user_key")
    found = list(channels.only("user_key", "user_short_name"))
    keys = [channel.pk for channel in found]
    sets = DeclarationSet.objects.defer("capabilities").in_bulk(keys)
    statuses = ChannelStatus.objects.defer(*(() if with_status else REPORTED)).in_bulk(keys)
    manifests = Manifest.objects.in_bulk({row.token for row in sets.values()})
    told = _told(keys)
    overview = []
    for channel in found:
        row, status = sets.get(channel.pk), statuses.get(channel.pk)
        shown = _channel(channel, row) | {"reported_at": status.reported_at if status else None}
        if row is not None:
            items = manifests[row.token].items if row.token in manifests else []
            shown["declarations"] = list(_declarations(row, items, told[channel.pk]))
        if with_status:
            shown |= {"status": status.items if status else {}, "errors": status.errors if status else {}}
        overview.append(shown)
    return overview


def sentence(channel: Mapping[str, Any]) -> str:
    who = f"User {channel['user']}" if channel["user"] else "Device"
    if not channel["switched_on"]:
        return f"{who}: declarative management is not switched on."
    state = "in step" if channel["in_step"] else "has not fetched the newest declarations yet"
    reported_at = channel["reported_at"]
    return f"{who}: {state}; last report {in_utc(reported_at) if reported_at else 'none'}."


def lines(channel: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for each in channel["declarations"]:
        yield each["identifier"], each["state"], each["why"]


def _channel(channel: Channel, row: DeclarationSet | None) -> dict[str, Any]:
    return {
        "user": channel.user_short_name or channel.user_key,
        "switched_on": row is not None and (row.asked_at is not None or row.served_token != ""),
        "in_step": row is not None and row.token == row.served_token,
        "declarations": [],
    }


def _told(channels: Sequence[int]) -> Mapping[int, Told]:
    told: defaultdict[int, dict[StateKey, DeclarationState]] = defaultdict(dict)
    for state in DeclarationState.objects.filter(channel__in=channels):
        told[state.channel_id][StateKey(state.kind, state.identifier, state.server_token)] = state
    return told


def _declarations(row: DeclarationSet, items: Sequence[Sequence[str]], told: Told) -> Iterator[dict[str, Any]]:
    for kind, identifier, token in items:
        state = told.get(StateKey(kind, identifier, token))
        yield {
            "kind": kind,
            "identifier": identifier,
            "state": state.meaning if state else NOT_YET,
            "why": _why(state.reasons) if state else "",
        }
    for identifier, why in sorted(row.unsupported.items()):
        yield {"kind": "", "identifier": identifier, "state": "left out", "why": why}


def _why(reasons: list[Any]) -> str:
    said = [reason for reason in reasons if isinstance(reason, dict)]
    return "; ".join(str(reason.get("description") or reason.get("code") or "") for reason in said)
