"""The enrollment profile, read with the eyes of the device that decides whether to install it."""

import plistlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import httpx2
from cryptography import x509

from enrollment.simulator import cms
from enrollment.simulator.challenge import turned_away
from enrollment.simulator.discovery import is_https
from enrollment.simulator.network import media_type
from enrollment.simulator.refusal import DeviceRefused

T = TypeVar("T")

PER_USER = "com.apple.mdm.per-user-connections"
BOOTSTRAP_TOKEN = "com.apple.mdm.bootstraptoken"  # noqa: S105 - the name of a capability
_REACTION = "shows that the profile is invalid and cancels the enrollment"
_ALL_RIGHTS = 8191
_SCEP, _MDM = "com.apple.security.scep", "com.apple.mdm"
_IMMUTABLE = ("Topic", "ServerURL", "CheckInURL", "EnrollmentMode", "AssignedManagedAppleID", "RequiredAppIDForMDM")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScepSettings:
    url: str
    name: str
    subject: tuple[tuple[tuple[str, str], ...], ...]
    challenge: str = field(repr=False)
    key_size: int
    ca_fingerprint: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentProfile:
    identifier: str
    mode: str
    managed_apple_account: str
    server_url: str
    check_in_url: str
    topic: str
    sign_message: bool
    access_rights: int
    check_out_when_removed: bool
    capabilities: frozenset[str]
    scep: ScepSettings
    keys: Mapping[str, Any] = field(repr=False)  # the whole property list
    signer: x509.Certificate | None

    @property
    def mdm_payload(self) -> Mapping[str, Any]:
        return next(item for item in self.keys["PayloadContent"] if item["PayloadType"] == _MDM)


def receive(response: httpx2.Response, *, mode: str) -> EnrollmentProfile:
    """The answer to the request with the bearer."""
    if response.status_code != HTTPStatus.OK:
        raise turned_away(response, "cancels the enrollment")
    if media_type(response) != "application/x-apple-aspen-config":
        _refuse(f"it came as {media_type(response) or 'no type'}, not application/x-apple-aspen-config")
    return read(response.content, mode=mode)


def read(raw: bytes, *, mode: str) -> EnrollmentProfile:
    keys, signer = unwrap(raw)
    payloads = _payloads(keys)
    mdm = _only(payloads, _MDM)
    _check_mode(mdm, mode)
    _check_addresses(mdm)
    identity = _only([item for item in payloads if item["PayloadUUID"] == _identity(mdm)], _SCEP)
    return EnrollmentProfile(
        identifier=keys["PayloadIdentifier"],
        mode=mode,
        managed_apple_account=_account(mdm),
        server_url=mdm["ServerURL"],
        check_in_url=mdm.get("CheckInURL", mdm["ServerURL"]),
        topic=mdm["Topic"],
        sign_message=_optional(mdm, "SignMessage", bool, default=False),
        access_rights=_rights(mdm, mode),
        check_out_when_removed=_optional(mdm, "CheckOutWhenRemoved", bool, default=False),
        capabilities=_capabilities(mdm),
        scep=_scep(identity),
        keys=keys,
        signer=signer,
    )


def check_update(old: EnrollmentProfile, new: EnrollmentProfile) -> None:
    """What an update of the enrollment profile may not change ("Deploying MDM Enrollment Profiles")."""
    before, after = old.mdm_payload, new.mdm_payload
    changed = [key for key in _IMMUTABLE if before.get(key) != after.get(key)]
    if (PER_USER in old.capabilities) != (PER_USER in new.capabilities):
        changed.append(PER_USER)
    if new.access_rights & ~old.access_rights:
        changed.append("AccessRights")
    if changed:
        _refuse(f"an update may not change {', '.join(changed)}")


def unwrap(raw: bytes) -> tuple[dict[str, Any], x509.Certificate | None]:
    """A property list, bare or inside a signature; who signed is shown to the person, damage stops the device."""
    signer = None
    if not raw.lstrip().startswith(b"<"):
        try:
            signed = cms.verify(raw)
        except cms.CmsError as error:
            raise DeviceRefused(_REACTION, f"its signature: {error}") from error
        raw, signer = signed.content, signed.signer
    try:
        keys = plistlib.loads(raw)
    except Exception as error:  # plistlib lets nine types out
        raise DeviceRefused(_REACTION, "it is not a property list") from error
    if not isinstance(keys, dict):
        _refuse("the property list is not a dictionary")
    return keys, signer


def _payloads(keys: dict[str, Any]) -> list[dict[str, Any]]:
    if _required(keys, "PayloadType", str) != "Configuration":
        _refuse("the outermost PayloadType is not Configuration")
    if keys.get("PayloadRemovalDisallowed"):
        _refuse("PayloadRemovalDisallowed: a person may always remove an account-driven enrollment")
    payloads = _required(keys, "PayloadContent", list)
    if not all(isinstance(item, dict) for item in payloads):
        _refuse("PayloadContent holds something that is no payload")
    seen: set[str] = set()
    for item in (keys, *payloads):
        _check_common(item, seen)
    return payloads


def _check_common(payload: dict[str, Any], seen: set[str]) -> None:
    kind = _required(payload, "PayloadType", str)
    if _required(payload, "PayloadVersion", int) != 1:
        _refuse(f"{kind}: PayloadVersion is not 1")
    if not _required(payload, "PayloadIdentifier", str):
        _refuse(f"{kind}: PayloadIdentifier is empty")
    name = _uuid(payload, "PayloadUUID").upper()
    if name in seen:
        _refuse(f"{kind}: PayloadUUID is not unique in the profile")
    seen.add(name)


def _only(payloads: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [item for item in payloads if item["PayloadType"] == kind]
    if len(found) != 1:
        _refuse(f"not exactly one {kind} payload where one must be (IdentityCertificateUUID names the SCEP payload)")
    return found[0]


def _check_mode(mdm: dict[str, Any], mode: str) -> None:
    if mdm.get("EnrollmentMode") != mode:
        _refuse(f"EnrollmentMode {mdm.get('EnrollmentMode')!r} is not {mode}, which discovery announced")
    if "ManagedAppleID" in mdm:
        _refuse("ManagedAppleID belongs to the profile-driven user enrollment, which is gone")


def _account(mdm: dict[str, Any]) -> str:
    account = _required(mdm, "AssignedManagedAppleID", str)
    user, _, domain = account.rpartition("@")
    if not user or "." not in domain or account != account.strip():
        _refuse("AssignedManagedAppleID is not a Managed Apple Account")
    return account


def _check_addresses(mdm: dict[str, Any]) -> None:
    if not _required(mdm, "Topic", str).startswith("com.apple.mgmt."):
        _refuse("Topic does not begin with com.apple.mgmt.")
    for key in ("ServerURL", "CheckInURL"):
        if (key in mdm or key == "ServerURL") and not is_https(_required(mdm, key, str)):
            _refuse(f"{key} is not an absolute https address")
    if mdm.get("UseDevelopmentAPNS"):
        _refuse("UseDevelopmentAPNS: push certificates of the Apple portal are for production")


def _rights(mdm: dict[str, Any], mode: str) -> int:
    if mode == "BYOD":
        if "AccessRights" in mdm:
            _refuse("AccessRights in a user enrollment")
        return 0
    rights = _required(mdm, "AccessRights", int)
    if not 0 < rights <= _ALL_RIGHTS:
        _refuse("AccessRights is not between 1 and 8191")
    for bit, needed in ((2, 1), (128, 64)):
        if rights & bit and not rights & needed:
            _refuse(f"AccessRights has {bit} without {needed}")
    return rights


def _capabilities(mdm: dict[str, Any]) -> frozenset[str]:
    names = _required(mdm, "ServerCapabilities", list)
    if not all(isinstance(name, str) for name in names):
        _refuse("ServerCapabilities holds something that is no string")
    if PER_USER not in names:
        _refuse(f"ServerCapabilities lacks {PER_USER}, which no update can add")
    return frozenset(names)


def _identity(mdm: dict[str, Any]) -> str:
    return _uuid(mdm, "IdentityCertificateUUID")


def _scep(payload: dict[str, Any]) -> ScepSettings:
    settings = _required(payload, "PayloadContent", dict)
    url = _required(settings, "URL", str)
    if not is_https(url):
        _refuse("the URL of the SCEP payload is not an absolute https address")
    if _required(settings, "Key Type", str) != "RSA":
        _refuse("Key Type is not RSA")
    size = _required(settings, "Keysize", int)
    if size not in {2048, 4096}:
        _refuse(f"Keysize {size} is not 2048 or 4096")
    if _required(settings, "Key Usage", int) != 5:  # noqa: PLR2004 - 1 to sign, 4 to read the answer
        _refuse("Key Usage is not 5: the key must sign and decrypt")
    if not _required(settings, "Challenge", str):
        _refuse("Challenge is empty")
    return ScepSettings(
        url=url,
        name=_optional(settings, "Name", str, default=""),
        subject=tuple(_subject(settings)),
        challenge=settings["Challenge"],
        key_size=size,
        ca_fingerprint=_optional(settings, "CAFingerprint", bytes, default=b"") or None,
    )


def _subject(settings: dict[str, Any]) -> Iterator[tuple[tuple[str, str], ...]]:
    """`[[["O", "Corp"]], [["CN", "x"]]]`: a list of sets of pairs."""
    for names in _optional(settings, "Subject", list, default=[]):
        if not isinstance(names, list) or not all(_is_pair(pair) for pair in names):
            _refuse("Subject is not an array of arrays of pairs")
        yield tuple((name, value) for name, value in names)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and [type(part) for part in value] == [str, str]


def _uuid(source: dict[str, Any], key: str) -> str:
    value = _required(source, key, str)
    try:
        uuid.UUID(value)
    except ValueError:
        _refuse(f"{key} is not a UUID")
    return value


def _required(source: dict[str, Any], key: str, kind: type[T]) -> T:
    if key not in source:
        _refuse(f"{key} is missing")
    value = source[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        _refuse(f"{key} is not of the type {kind.__name__}")
    return value


def _optional(source: dict[str, Any], key: str, kind: type[T], *, default: T) -> T:
    return _required(source, key, kind) if key in source else default


def _refuse(reason: str) -> NoReturn:
    raise DeviceRefused(_REACTION, reason)
