"""What is installed on a device: applications, profiles and certificates, as its answers list them.

Nothing is an error, as in `inventory.py`: an item without a name is passed over, what does not fit stays in `details`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from devices.protocol.inventory import dictionaries_in, json_of
from epmm.wire import x509
from epmm.wire.errors import WireError
from epmm.wire.plist import required

LARGE: Final = range(1 << 63)  # what a column for large numbers holds
NAME: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    identifier: str
    name: str
    version: str
    short_version: str
    bundle_size: int | None
    dynamic_size: int | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    identifier: str
    profile_uuid: str
    display_name: str
    is_managed: bool | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    common_name: str
    is_identity: bool
    sha256: str
    der: bytes = field(repr=False)


def read_applications(answer: Mapping[str, Any]) -> list[Application]:
    """https://developer.apple.com/documentation/devicemanagement/installed-application-list-response."""
    return [
        Application(
            identifier=identifier,
            name=_taken(item, "Name", NAME),
            version=_taken(item, "Version", 64),
            short_version=_taken(item, "ShortVersion", 64),
            bundle_size=_size(item, "BundleSize"),
            dynamic_size=_size(item, "DynamicSize"),
            details=json_of(item),
        )
        for item in dictionaries_in(answer, "InstalledApplicationList")
        if (identifier := _taken(item, "Identifier", NAME))
    ]


def read_profiles(answer: Mapping[str, Any]) -> list[Profile]:
    """https://developer.apple.com/documentation/devicemanagement/profile-list-response."""
    return [
        Profile(
            identifier=identifier,
            profile_uuid=_taken(item, "PayloadUUID", 64),
            display_name=_taken(item, "PayloadDisplayName", NAME),
            is_managed=item.pop("IsManaged") if isinstance(item.get("IsManaged"), bool) else None,
            # whoever signed it is no news, and megabytes
            details=json_of({key: value for key, value in item.items() if key != "SignerCertificates"}),
        )
        for item in dictionaries_in(answer, "ProfileList")
        if (identifier := _taken(item, "PayloadIdentifier", NAME))
    ]


def read_certificates(answer: Mapping[str, Any]) -> list[Certificate]:
    """https://developer.apple.com/documentation/devicemanagement/certificate-list-response."""
    return [
        Certificate(
            common_name=_taken(item, "CommonName", NAME),
            is_identity=item.get("IsIdentity") is True,
            sha256=hashlib.sha256(item["Data"]).hexdigest(),
            der=item["Data"],
        )
        for item in dictionaries_in(answer, "CertificateList")
        if isinstance(item.get("Data"), bytes)
    ]


def expiry(der: bytes) -> datetime | None:
    """When a certificate of the device expires; devices hold some that no strict reader takes."""
    try:
        return x509.load(der).not_valid_after_utc
    except (WireError, ValueError):
        return None


def _taken(item: dict[str, Any], key: str, longest: int) -> str:
    """Text moved out of the item; what does not fit stays there."""
    try:
        text = required(item, key, str, longest=longest)
    except WireError:
        return ""
    del item[key]
    return text


def _size(item: dict[str, Any], key: str) -> int | None:
    value = item.get(key)
    return item.pop(key) if type(value) is int and value in LARGE else None
