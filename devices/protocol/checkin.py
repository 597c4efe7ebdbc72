"""What a device sends to the check-in URL: one dataclass for each MessageType, unknown keys ignored.

https://developer.apple.com/documentation/devicemanagement/check-in
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias

from devices.protocol.bootstrap import GetBootstrapToken, SetBootstrapToken
from devices.protocol.declarative import DeclarativeManagement
from devices.protocol.sender import Sender, text
from epmm.wire.errors import WireError
from epmm.wire.plist import load_dict, optional, required

__all__ = [
    "Authenticate",
    "CheckOut",
    "CheckinMessage",
    "DeclarativeManagement",
    "GetBootstrapToken",
    "GetToken",
    "Sender",
    "SetBootstrapToken",
    "TokenUpdate",
    "UserAuthenticate",
    "decode_checkin",
    "has_message_type",
]

# A status report travels as base64: the largest that is read takes 5.7 MiB, with the line breaks of XML.
MAX_BYTES: Final = 8 << 20
TOPIC: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticate:
    """https://developer.apple.com/documentation/devicemanagement/authenticate

    Which of the others a device tells depends on its family and on the access rights; absent ones are empty.
    """

    sender: Sender
    topic: str
    os_version: str = ""
    build_version: str = ""
    product_name: str = ""
    serial_number: str = ""
    imei: str = ""
    meid: str = ""
    device_name: str = ""
    model: str = ""
    model_name: str = ""

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        return cls(
            sender=Sender.parse(source),
            topic=required(source, "Topic", str, longest=TOPIC),
            os_version=text(source, "OSVersion", 32),
            build_version=text(source, "BuildVersion", 32),
            product_name=text(source, "ProductName", 64),
            serial_number=text(source, "SerialNumber", 64),
            imei=text(source, "IMEI", 32),
            meid=text(source, "MEID", 32),
            device_name=text(source, "DeviceName", 255),
            model=text(source, "Model", 64),
            model_name=text(source, "ModelName", 128),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUpdate:
    """https://developer.apple.com/documentation/devicemanagement/token-update"""

    sender: Sender
    topic: str
    token: bytes = field(repr=False)
    push_magic: str = field(repr=False)
    # Absent in most updates; absent means "keep the one you have", not "delete it".
    unlock_token: bytes | None = field(default=None, repr=False)
    awaiting_configuration: bool = False
    not_on_console: bool = False

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        token, push_magic = required(source, "Token", bytes), required(source, "PushMagic", str)
        if not token or not push_magic:
            raise WireError("Token and PushMagic: empty")
        return cls(
            sender=Sender.parse(source),
            topic=required(source, "Topic", str, longest=TOPIC),
            token=token,
            push_magic=push_magic,
            unlock_token=optional(source, "UnlockToken", bytes),
            awaiting_configuration=optional(source, "AwaitingConfiguration", bool) or False,
            not_on_console=optional(source, "NotOnConsole", bool) or False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOut:
    """https://developer.apple.com/documentation/devicemanagement/check-out"""

    sender: Sender
    topic: str

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        return cls(sender=Sender.parse(source), topic=text(source, "Topic", TOPIC))


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAuthenticate:
    """https://developer.apple.com/documentation/devicemanagement/userauthenticate"""

    sender: Sender
    digest_response: str | None = field(default=None, repr=False)  # comes with the second message only

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        return cls(sender=Sender.parse(source), digest_response=optional(source, "DigestResponse", str))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetToken:
    """https://developer.apple.com/documentation/devicemanagement/get-token"""

    sender: Sender
    service_type: str

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        return cls(sender=Sender.parse(source), service_type=required(source, "TokenServiceType", str))


CheckinMessage: TypeAlias = (
    Authenticate
    | TokenUpdate
    | CheckOut
    | UserAuthenticate
    | SetBootstrapToken
    | GetBootstrapToken
    | DeclarativeManagement
    | GetToken
)

PARSERS: Final[Mapping[str, Callable[[Mapping[str, Any]], CheckinMessage]]] = {
    "Authenticate": Authenticate.parse,
    "TokenUpdate": TokenUpdate.parse,
    "CheckOut": CheckOut.parse,
    "UserAuthenticate": UserAuthenticate.parse,
    "SetBootstrapToken": SetBootstrapToken.parse,
    "GetBootstrapToken": GetBootstrapToken.parse,
    "DeclarativeManagement": DeclarativeManagement.parse,
    "GetToken": GetToken.parse,
}


def has_message_type(source: Mapping[str, object]) -> bool:
    """Check-in or command channel: the two URLs may be one, so the message decides."""
    return "MessageType" in source


def decode_checkin(raw: bytes) -> CheckinMessage:
    source = load_dict(raw, max_bytes=MAX_BYTES)
    parse = PARSERS.get(required(source, "MessageType", str))
    if parse is None:
        raise WireError("MessageType: unknown")
    return parse(source)
