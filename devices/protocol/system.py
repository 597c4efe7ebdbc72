"""What a Mac or a supervised device says about its users and its updates, and the secrets that it hands over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from devices.protocol.installed import LARGE, NAME, listed
from devices.protocol.reading import (
    Reader,
    Reading,
    dictionaries_in,
    dictionary_in,
    json_of,
    taken_flag,
    taken_number,
    taken_text,
)
from devices.protocol.target import Kind

BYPASS_CODE: Final = "ActivationLockBypassCode"
RECOVERY_KEY: Final = "EncryptedNewRecoveryKey"
LONGEST_SECRET: Final = 65_536  # a CMS envelope of one key is a few kilobytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUser:
    name: str
    full_name: str
    uid: int | None
    guid: str
    is_logged_in: bool | None
    has_secure_token: bool | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableUpdate:
    product_key: str
    name: str
    version: str
    build: str
    is_critical: bool | None
    restart_required: bool | None
    is_security_response: bool | None
    details: dict[str, Any]


def read_users(answer: Mapping[str, Any]) -> list[LocalUser]:
    """https://developer.apple.com/documentation/devicemanagement/user-list-response."""
    return [
        LocalUser(
            name=name,
            full_name=taken_text(item, "FullName", NAME),
            uid=taken_number(item, "UID", LARGE),
            guid=taken_text(item, "UserGUID", 64),
            is_logged_in=taken_flag(item, "IsLoggedIn"),
            has_secure_token=taken_flag(item, "HasSecureToken"),
            details=json_of(item),
        )
        for item in dictionaries_in(answer, "Users")
        if (name := taken_text(item, "UserName", NAME))
    ]


def read_updates(answer: Mapping[str, Any]) -> list[AvailableUpdate]:
    """https://developer.apple.com/documentation/devicemanagement/available-os-updates-response."""
    return [
        AvailableUpdate(
            product_key=product_key,
            # a Mac tells a name for people, the others that of the system
            name=taken_text(item, "HumanReadableName", NAME) or taken_text(item, "ProductName", NAME),
            version=taken_text(item, "Version", 64),
            build=taken_text(item, "Build", 32),
            is_critical=taken_flag(item, "IsCritical"),
            restart_required=taken_flag(item, "RestartRequired"),
            is_security_response=taken_flag(item, "IsSecurityResponse"),
            details=json_of(item),
        )
        for item in dictionaries_in(answer, "AvailableOSUpdates")
        if (product_key := taken_text(item, "ProductKey", NAME))
    ]


def read_bypass_code(answer: Mapping[str, Any], kind: Kind) -> Reading:
    """Whoever has the code can take the Activation Lock off the device."""
    del kind
    return _sealed(BYPASS_CODE, answer)


def read_rotation(answer: Mapping[str, Any], kind: Kind) -> Reading:
    """The new recovery key, encrypted for a certificate of the administrator's."""
    del kind
    return _sealed(RECOVERY_KEY, dictionary_in(answer, "RotateResult"))


def _sealed(name: str, source: Mapping[str, Any]) -> Reading:
    """Text or data; nothing else can be one."""
    match source.get(name):
        case str(text) if 0 < len(text) <= LONGEST_SECRET:
            return Reading(secrets={name: text.encode("utf-8", "replace")})
        case bytes(raw) if 0 < len(raw) <= LONGEST_SECRET:
            return Reading(secrets={name: raw})
    return Reading()


USERS: Final = listed("Users", LocalUser, read_users)
UPDATES: Final = listed("AvailableOSUpdates", AvailableUpdate, read_updates)
BYPASS: Final = Reader((BYPASS_CODE,), read_bypass_code)
ROTATION: Final = Reader(("RotateResult",), read_rotation)
