"""A profile as it is uploaded: a property list, plain or inside a CMS signature.

https://developer.apple.com/documentation/devicemanagement/toplevel
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from cryptography.x509.oid import NameOID

from devices.protocol.configuration_profile.restrictions import PAYLOAD as RESTRICTIONS_PAYLOAD
from devices.protocol.sentence import sentence as _
from epmm.wire import cms, plist, x509
from epmm.wire.errors import SignatureMismatch, WireError
from epmm.wire.plist import required

LARGEST: Final = 1 << 20
LONGEST: Final = 255
LONGEST_UUID: Final = 64
ENROLLMENT: Final = "com.apple.mdm"
_SEQUENCE: Final = b"\x30"  # how every CMS message begins, and no property list
THE_PROFILE: Final = _("The profile")
_KEY: Final = re.compile("[A-Za-z]{1,100}")  # as Apple names keys; whatever else there is has no effect
T = TypeVar("T")


class ProfileRefused(Exception):
    """It is no profile that we deliver.  The argument is a sentence for the administrator."""


class Scope(StrEnum):
    """PayloadScope: for a Mac or for its users; elsewhere there is no difference."""

    SYSTEM = "System"
    USER = "User"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What decides where a payload may go.  Its values are secrets as likely as not, and are not here."""

    kind: str
    restrictions: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(kind=stored["type"], restrictions=tuple(stored.get("restrictions", ())))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.kind} | ({"restrictions": list(self.restrictions)} if self.restrictions else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationProfile:
    identifier: str
    uuid: str
    display_name: str
    description: str
    scope: Scope
    payloads: tuple[Payload, ...]
    removes_itself: bool
    signer: str | None  # None: not signed
    raw: bytes = field(repr=False)  # as it was uploaded


def read(raw: bytes) -> ConfigurationProfile:
    """Raises `ProfileRefused`; the sentence never quotes a value of the profile."""
    if len(raw) > LARGEST:
        raise ProfileRefused(_("The profile is larger than {n} MiB.", n=LARGEST >> 20))
    content, signer = _unwrap(raw) if raw.startswith(_SEQUENCE) else (raw, None)
    try:
        top = plist.load_dict(content, max_bytes=LARGEST)
    except WireError as error:
        raise ProfileRefused(_("This is not a profile: {error}.", error=error)) from error
    _check_top(top)
    items = _items(top)
    _check_unique_uuids([top, *items])
    return ConfigurationProfile(
        identifier=top["PayloadIdentifier"],
        uuid=top["PayloadUUID"],
        display_name=_optional(top, "PayloadDisplayName", str) or "",
        description=_optional(top, "PayloadDescription", str) or "",
        scope=_scope(top),
        payloads=tuple(_payload(item) for item in items),
        removes_itself="RemovalDate" in top or "DurationUntilRemoval" in top,
        signer=signer,
        raw=raw,
    )


def _unwrap(raw: bytes) -> tuple[bytes, str]:
    """Whose signature it is does not matter, as long as it is one: the device shows the name."""
    try:
        message = cms.parse_signed(raw, max_bytes=LARGEST)
        message.verify()
    except SignatureMismatch as error:
        raise ProfileRefused(_("The signature of the profile is not valid: {error}.", error=error)) from error
    except WireError as error:
        raise ProfileRefused(_("This is not a profile: {error}.", error=error)) from error
    subject = x509.load(message.signer_certificate).subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if names else subject.rfc4514_string()
    return message.content or b"", str(plist.to_json(name))[:LONGEST]


def _check_top(top: Mapping[str, Any]) -> None:
    if _required(top, "PayloadType", str, THE_PROFILE) != "Configuration":
        raise ProfileRefused(_("This is not a configuration profile: its PayloadType is not Configuration."))
    if top.get("IsEncrypted") or "EncryptedPayloadContent" in top:
        raise ProfileRefused(_("An encrypted profile is for one device; upload the profile as it was before."))
    _check_common(top, THE_PROFILE)


def _items(top: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = _required(top, "PayloadContent", list, THE_PROFILE)
    if not items or not all(isinstance(item, dict) for item in items):
        raise ProfileRefused(_("The PayloadContent of the profile is not a list of payloads."))
    for number, item in enumerate(items, 1):
        _check_common(item, _("Payload {number}", number=number))
    if any(item["PayloadType"] == ENROLLMENT for item in items):
        raise ProfileRefused(
            _("A profile with the payload {kind} enrolls a device; devices get it otherwise.", kind=ENROLLMENT)
        )
    return items


def _check_common(payload: Mapping[str, Any], where: str) -> None:
    """https://developer.apple.com/documentation/devicemanagement/commonpayloadkeys."""
    for key, longest in (("PayloadType", LONGEST), ("PayloadIdentifier", LONGEST), ("PayloadUUID", LONGEST_UUID)):
        if not _required(payload, key, str, where, longest=longest).strip():
            raise ProfileRefused(_("{where} has an empty {key}.", where=where, key=key))
    version = _required(payload, "PayloadVersion", int, where)
    if where is THE_PROFILE and version != 1:
        raise ProfileRefused(_("The profile has another PayloadVersion than 1."))


def _check_unique_uuids(payloads: Iterable[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for payload in payloads:
        uuid = payload["PayloadUUID"].casefold()
        if uuid in seen:
            raise ProfileRefused(_("Two payloads of the profile have the same PayloadUUID."))
        seen.add(uuid)


def _scope(top: Mapping[str, Any]) -> Scope:
    text = _optional(top, "PayloadScope", str)
    try:
        return Scope.SYSTEM if text is None else Scope(text)
    except ValueError as error:
        raise ProfileRefused(_("The PayloadScope of the profile is neither System nor User.")) from error


def _payload(item: Mapping[str, Any]) -> Payload:
    kind = item["PayloadType"]
    if kind != RESTRICTIONS_PAYLOAD:
        return Payload(kind=kind)
    keys = {key for key in item if _KEY.fullmatch(key) and not key.startswith("Payload")}
    return Payload(kind=kind, restrictions=tuple(sorted(keys)))


def _required(source: Mapping[str, Any], key: str, kind: type[T], where: str, *, longest: int = LONGEST) -> T:
    if key not in source:
        raise ProfileRefused(_("{where} has no {key}.", where=where, key=key))
    try:
        return required(source, key, kind, longest=longest)
    except WireError as error:
        raise ProfileRefused(
            _("{where} has a {key} that does not do: {error}.", where=where, key=key, error=error)
        ) from error


def _optional(source: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    return _required(source, key, kind, THE_PROFILE, longest=4096) if key in source else None
