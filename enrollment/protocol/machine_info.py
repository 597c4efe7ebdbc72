"""The signed message a device opens with.

Apple: other/machineinfo.yaml in the device management schema.  It says something about the device, not about the
person: the access token authorizes, and every value here is a hint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Self

from cryptography import x509

from enrollment.protocol.device_trust import anchored
from enrollment.protocol.discovery import ModelFamily
from epmm.wire import cms, plist
from epmm.wire.errors import SignatureMismatch, WireError

MAX_BYTES = 64 * 1024
_LONGEST = 255

# SEQUENCE, with which each CMS message starts and no property list does.
_CMS_MARK = b"\x30"


class SignatureState(Enum):
    """The rows of the table that says what each body gets."""

    TRUSTED = "trusted"  # intact, and an Apple device signed it
    UNKNOWN_CA = "unknown_ca"  # intact, signed by somebody
    MISMATCH = "mismatch"  # CMS, but its signature does not vouch for the content
    UNSIGNED = "unsigned"  # a plain property list


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineInfo:
    """Every key is optional here: which of them an enrollment request carries depends on OS and mode."""

    udid: str | None = None
    serial: str | None = None
    product: str | None = None
    build: str | None = None  # VERSION, for instance 22C150
    os_version: str | None = None
    supplemental_build: str | None = None
    supplemental_os_version_extra: str | None = None
    imei: str | None = None
    meid: str | None = None
    language: str | None = None
    software_update_device_id: str | None = None
    can_request_software_update: bool = False
    can_request_psso_config: bool = False
    pairing_token: bytes | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        text = partial(plist.optional, source, kind=str, longest=_LONGEST)
        flag = partial(plist.optional, source, kind=bool)
        return cls(
            udid=text(key="UDID"),
            serial=text(key="SERIAL"),
            product=text(key="PRODUCT"),
            build=text(key="VERSION"),
            os_version=text(key="OS_VERSION"),
            supplemental_build=text(key="SUPPLEMENTAL_BUILD_VERSION"),
            supplemental_os_version_extra=text(key="SUPPLEMENTAL_OS_VERSION_EXTRA"),
            imei=text(key="IMEI"),
            meid=text(key="MEID"),
            language=text(key="LANGUAGE"),
            software_update_device_id=text(key="SOFTWARE_UPDATE_DEVICE_ID"),
            can_request_software_update=flag(key="MDM_CAN_REQUEST_SOFTWARE_UPDATE") or False,
            can_request_psso_config=flag(key="MDM_CAN_REQUEST_PSSO_CONFIG") or False,
            pairing_token=plist.optional(source, "PAIRING_TOKEN", bytes),
        )

    @property
    def model_family(self) -> ModelFamily | None:
        return ModelFamily.of_product(self.product) if self.product else None

    @property
    def os_release(self) -> tuple[int, ...]:
        """`18.2.1` as (18, 2, 1), to be compared; empty when the device did not say, or said something else."""
        parts = (self.os_version or "").split(".")
        return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`info` is None only with MISMATCH, when the altered content is not a MachineInfo any more."""

    info: MachineInfo | None
    signature: SignatureState


def read(body: bytes, extra_device_cas: Sequence[x509.Certificate]) -> Reading:
    """What the body says and who vouches for it; `WireError` when it is neither CMS nor a property list."""
    if len(body) > MAX_BYTES:
        raise WireError("enrollment request is too large")
    if not body.startswith(_CMS_MARK):
        return Reading(info=_info(body), signature=SignatureState.UNSIGNED)
    message = cms.parse_signed(body, max_bytes=MAX_BYTES)
    if message.content is None:
        raise WireError("enrollment request without content")
    signature = _signature_state(message, extra_device_cas)
    try:
        info = _info(message.content)
    except WireError:
        if signature is not SignatureState.MISMATCH:
            raise
        return Reading(info=None, signature=signature)
    return Reading(info=info, signature=signature)


def _info(content: bytes) -> MachineInfo:
    return MachineInfo.parse(plist.load_dict(content, max_bytes=MAX_BYTES))


def _signature_state(message: cms.SignedMessage, extra_device_cas: Sequence[x509.Certificate]) -> SignatureState:
    try:
        message.verify()
    except SignatureMismatch:
        return SignatureState.MISMATCH
    if anchored(message.signer_certificate, message.certificates, extra_device_cas):
        return SignatureState.TRUSTED
    return SignatureState.UNKNOWN_CA
