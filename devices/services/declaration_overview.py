"""What a device is to hold and what it says of it, for an administrator."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from devices.models import Channel, ChannelStatus, DeclarationSet, DeclarationState, Device, Manifest

NOT_YET: Final = "not reported"


def of_device(device: Device) -> list[dict[str, Any]]:
    """Each channel of the enrollment that stands, the device's own first."""
    channels = Channel.objects.filter(enrollment__in=device.enrollments.active()).order_by("user_key")
    return [_channel(channel) for channel in channels.only("user_key", "user_short_name")]


def sentence(channel: Mapping[str, Any]) -> str:
    who = f"User {channel['user']}" if channel["user"] else "Device"
    if not channel["switched_on"]:
        return f"{who}: declarative management is not switched on."
    state = "in step" if channel["in_step"] else "has not fetched the newest declarations yet"
    return f"{who}: {state}; last report {channel['reported_at'] or 'none'}."


def lines(channel: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for each in channel["declarations"]:
        yield each["identifier"], each["state"], each["why"]


def _channel(channel: Channel) -> dict[str, Any]:
    row = DeclarationSet.objects.filter(pk=channel.pk).first()
    status = ChannelStatus.objects.filter(pk=channel.pk).first()
    return {
        "user": channel.user_short_name or channel.user_key,
        "switched_on": row is not None and (row.asked_at is not None or row.served_token != ""),
        "in_step": row is not None and row.token == row.served_token,
        "reported_at": status.reported_at if status else None,
        "declarations": list(_declarations(channel, row)) if row else [],
        "status": status.items if status else {},
        "errors": status.errors if status else {},
    }


def _declarations(channel: Channel, row: DeclarationSet) -> Iterator[dict[str, Any]]:
    told = {
        (state.kind, state.identifier, state.server_token): state
        for state in DeclarationState.objects.filter(channel=channel)
    }
    items = Manifest.objects.filter(pk=row.token).values_list("items", flat=True).first() or []
    for kind, identifier, token in items:
        state = told.get((kind, identifier, token))
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
