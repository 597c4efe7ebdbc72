"""What is installed on a device: applications, profiles and certificates, as its answers list them.

An item without a name is passed over; what does not fit stays in `details`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from devices.protocol.reading import (
    Reader,
    Reading,
    dictionaries_in,
    json_of,
    named_in,
    taken_flag,
    taken_number,
    taken_text,
)
from devices.protocol.target import Kind
from epmm.wire import x509
from epmm.wire.errors import WireError

Row = TypeVar("Row")

LARGE: Final = range(1 << 63)  # what a column for large numbers holds
NAME: Final = 255
# What becomes of an application that we install, as Apple names it: what is still to be decided, what is so now,
UNDER_WAY: Final = frozenset(
    {
        "Queued", "NeedsRedemption", "Redeeming", "Prompting", "PromptingForLogin", "ValidatingPurchase", "Installing",
        "PromptingForUpdate", "PromptingForUpdateLogin", "ValidatingUpdate", "Updating", "PromptingForManagement",
        "Unknown",
    }
)  # fmt: skip
STANDING: Final = frozenset({"Managed", "ManagedButUninstalled"})
# and what came of it in the end, which a device tells once: its next list leaves the application out.
TOLD_ONCE: Final = frozenset({"UserInstalledApp", "UserRejected", "UpdateRejected", "ManagementRejected", "Failed"})


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
class ManagedApplication:
    """An application that we installed or took over, and how far that came."""

    identifier: str
    state: str
    rejection: str = ""  # why not
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedApplication:
    identifier: str


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
            name=taken_text(item, "Name", NAME),
            version=taken_text(item, "Version", 64),
            short_version=taken_text(item, "ShortVersion", 64),
            bundle_size=taken_number(item, "BundleSize", LARGE),
            dynamic_size=taken_number(item, "DynamicSize", LARGE),
            details=json_of(item),
        )
        for item in dictionaries_in(answer, "InstalledApplicationList")
        if (identifier := taken_text(item, "Identifier", NAME))
    ]


def read_managed_applications(answer: Mapping[str, Any]) -> list[ManagedApplication]:
    """https://developer.apple.com/documentation/devicemanagement/managed-application-list-response."""
    return [
        ManagedApplication(identifier=identifier, state=taken_text(item, "Status", 64), details=json_of(item))
        for item in named_in(answer, "ManagedApplicationList", "Identifier")
        if (identifier := taken_text(item, "Identifier", NAME))
    ]


def read_installation(answer: Mapping[str, Any], kind: Kind) -> Reading:
    """https://developer.apple.com/documentation/devicemanagement/install-application-response."""
    del kind
    item = dict(answer)
    identifier, state = taken_text(item, "Identifier", NAME), taken_text(item, "State", 64)
    if not identifier or not state:
        return Reading(rest=json_of({key: answer[key] for key in INSTALLATION.keys if key in answer}))
    rejection = taken_text(item, "RejectionReason", 64)
    return Reading(news=[ManagedApplication(identifier=identifier, state=state, rejection=rejection)])


def read_profiles(answer: Mapping[str, Any]) -> list[Profile]:
    """https://developer.apple.com/documentation/devicemanagement/profile-list-response."""
    return [
        Profile(
            identifier=identifier,
            profile_uuid=taken_text(item, "PayloadUUID", 64),
            display_name=taken_text(item, "PayloadDisplayName", NAME),
            is_managed=taken_flag(item, "IsManaged"),
            # whoever signed it is no news, and megabytes
            details=json_of({key: value for key, value in item.items() if key != "SignerCertificates"}),
        )
        for item in dictionaries_in(answer, "ProfileList")
        if (identifier := taken_text(item, "PayloadIdentifier", NAME))
    ]


def read_certificates(answer: Mapping[str, Any]) -> list[Certificate]:
    """https://developer.apple.com/documentation/devicemanagement/certificate-list-response."""
    return [
        Certificate(
            common_name=taken_text(item, "CommonName", NAME),
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


def listed(key: str, row: type[Row], read: Callable[[Mapping[str, Any]], list[Row]]) -> Reader:
    """An answer that is the whole set of these rows."""

    def read_list(answer: Mapping[str, Any], kind: Kind) -> Reading:
        del kind
        return Reading(lists={row: read(answer)})

    return Reader((key,), read_list)


APPLICATIONS: Final = listed("InstalledApplicationList", Application, read_applications)
MANAGED_APPLICATIONS: Final = listed("ManagedApplicationList", ManagedApplication, read_managed_applications)
INSTALLATION: Final = Reader(("Identifier", "State", "RejectionReason"), read_installation)
PROFILES: Final = listed("ProfileList", Profile, read_profiles)
CERTIFICATES: Final = listed("CertificateList", Certificate, read_certificates)
