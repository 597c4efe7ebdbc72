"""What a device writes when it checks in: the dictionaries of `CheckInURL` and of an idle connect."""

import secrets
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from enrollment.simulator.hardware import Hardware
from enrollment.simulator.profile import BOOTSTRAP_TOKEN, EnrollmentProfile

_QUERY_DEVICE, _LOCK = 16, 4  # bits of AccessRights


class Channel(StrEnum):
    DEVICE = "device"
    USER = "user"


def new_uuid() -> str:
    return str(uuid.uuid4()).upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    token: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    magic: str = field(default_factory=new_uuid, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One enrollment as the device knows it; the next one has other secrets and, in user enrollment, another name."""

    hardware: Hardware
    profile: EnrollmentProfile
    user: str  # short name of the account on a Mac
    enrollment_id: str = field(default_factory=new_uuid)
    user_id: str = field(default_factory=new_uuid)
    unlock_token: bytes = field(default_factory=lambda: secrets.token_bytes(48), repr=False)
    push: dict[Channel, Push] = field(default_factory=lambda: {channel: Push() for channel in Channel}, repr=False)

    @property
    def is_user_enrollment(self) -> bool:
        return self.profile.mode == "BYOD"

    @property
    def channels(self) -> tuple[Channel, ...]:
        return (Channel.DEVICE, Channel.USER) if self.hardware.family.is_mac else (Channel.DEVICE,)

    def carries_bearer(self, channel: Channel) -> bool:
        """The token is the user's: on a Mac, which has a user channel, only that channel shows it."""
        return not self.hardware.family.is_mac or channel is Channel.USER

    @property
    def escrows_bootstrap_token(self) -> bool:
        is_supervised = self.hardware.supervised and not self.is_user_enrollment
        return is_supervised and BOOTSTRAP_TOKEN in self.profile.capabilities

    def allows(self, right: int) -> bool:
        return self.is_user_enrollment or bool(self.profile.access_rights & right)


def identifiers(member: Membership, channel: Channel) -> dict[str, Any]:
    names = {"EnrollmentID": member.enrollment_id} if member.is_user_enrollment else {"UDID": member.hardware.udid}
    if channel is Channel.USER:
        key = "EnrollmentUserID" if member.is_user_enrollment else "UserID"
        names |= {key: member.user_id, "UserShortName": member.user, "UserLongName": member.user.title()}
    return names


def authenticate(member: Membership) -> dict[str, Any]:
    hardware, model = member.hardware, member.hardware.model
    message = _message(member, "Authenticate", Channel.DEVICE)
    if hardware.family.is_mac:
        message |= {"DeviceName": hardware.name, "Model": model.product, "ModelName": model.name}
    if member.allows(_QUERY_DEVICE):
        message |= {"OSVersion": model.os_version, "BuildVersion": model.build, "ProductName": model.product}
        if not member.is_user_enrollment:
            message |= {"SerialNumber": hardware.serial} | ({"IMEI": hardware.imei} if hardware.imei else {})
    return message


def token_update(member: Membership, channel: Channel) -> dict[str, Any]:
    push = member.push[channel]
    message = _message(member, "TokenUpdate", channel) | {"Token": push.token, "PushMagic": push.magic}
    if channel is Channel.USER:
        return message | {"NotOnConsole": False}
    if not member.hardware.family.is_mac and not member.is_user_enrollment and member.allows(_LOCK):
        message["UnlockToken"] = member.unlock_token
    return message | {"AwaitingConfiguration": False}


def check_out(member: Membership) -> dict[str, Any]:
    return _message(member, "CheckOut", Channel.DEVICE)


def other(member: Membership, message_type: str, channel: Channel) -> dict[str, Any]:
    return {"MessageType": message_type, **identifiers(member, channel)}


def compose(member: Membership, message_type: str, channel: Channel = Channel.DEVICE) -> dict[str, Any]:
    match message_type:
        case "Authenticate":
            return authenticate(member)
        case "TokenUpdate":
            return token_update(member, channel)
        case "CheckOut":
            return check_out(member)
        case _:
            return other(member, message_type, channel)


def idle(member: Membership, channel: Channel) -> dict[str, Any]:
    return {**identifiers(member, channel), "Status": "Idle"}


def _message(member: Membership, message_type: str, channel: Channel) -> dict[str, Any]:
    return {**other(member, message_type, channel), "Topic": member.profile.topic}
