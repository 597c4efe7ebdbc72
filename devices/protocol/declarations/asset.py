from dataclasses import dataclass
from typing import ClassVar

from devices.protocol.declarations.base import Payload, TypedDeclaration, https, key, one_of, part, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Payload):
    """What is given is checked by the device; any mismatch fails the asset."""

    data_url: str = key("DataURL", https, required=True)
    content_type: str | None = key("ContentType", text)
    size: int | None = key("Size", whole())
    sha256: str | None = key("Hash-SHA-256", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication(Payload):
    type: str = key("Type", one_of("MDM", "None"), required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAsset(TypedDeclaration):
    """https://developer.apple.com/documentation/devicemanagement/assetdata"""

    type: ClassVar[str] = "com.apple.asset.data"

    reference: Reference = key("Reference", part(Reference), required=True)
    authentication: Authentication | None = key("Authentication", part(Authentication))
