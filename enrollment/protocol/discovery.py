"""The well-known document that leads a device to us.

Apple: "Discover Authentication Servers"; RFC 8615 for the path, RFC 3986 for the query.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import unquote_to_bytes, urlsplit

from epmm.wire.errors import WireError

CONTENT_TYPE = "application/json"

LONGEST_QUERY = 4096
# RFC 5321, 4.5.3.1: 64 octets before the @, 255 behind it; RFC 1035, 2.3.4, leaves 253 for a name in text.
LONGEST_IDENTIFIER = 320
LONGEST_DOMAIN = 253

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Version(StrEnum):
    ADDE = "mdm-adde"
    BYOD = "mdm-byod"


class ModelFamily(StrEnum):
    """`model-family` of discovery; `of_product` finds the same from a model identifier."""

    APPLE_TV = "AppleTV"
    IPAD = "iPad"
    IPHONE = "iPhone"
    MAC = "Mac"
    REALITY_DEVICE = "RealityDevice"
    WATCH = "Watch"

    @property
    def can_enroll(self) -> bool:
        """The profile key EnrollmentMode does not exist on the other two."""
        return self not in (ModelFamily.APPLE_TV, ModelFamily.WATCH)

    @classmethod
    def named(cls, name: str) -> Self | None:
        return next((family for family in cls if family == name), None)

    @classmethod
    def of_product(cls, product: str) -> Self | None:
        """From `iPhone17,1`, `Mac14,2`, `MacBookPro18,3`, `iMac21,1`, `VirtualMac2,1`; None for what we do not know."""
        if "Mac" in product:
            return cls.named("Mac")
        if product.startswith("iPod"):
            return cls.named("iPhone")
        return next((family for family in cls if product.startswith(family)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryRequest:
    """What the person typed, and on what; every part may be missing, for redirects lose the query."""

    identifier: str = ""
    local_part: str = ""
    domain: str = ""
    model_family: ModelFamily | None = None

    @classmethod
    def parse(cls, query: str) -> Self:
        """Read the query as it came, still escaped.

        By name, in any order.
        """
        if len(query) > LONGEST_QUERY:
            raise WireError("query is too long")
        values = _values(query)
        identifier = typed_identifier(query)
        local_part, at, domain = identifier.rpartition("@")
        if not at:
            local_part, domain = domain, ""
        domain = domain.lower()
        if len(identifier) > LONGEST_IDENTIFIER or len(domain) > LONGEST_DOMAIN:
            raise WireError("user-identifier: too long")
        return cls(
            identifier=identifier,
            local_part=local_part,
            domain=domain,
            model_family=ModelFamily.named(values.get("model-family", "")),
        )


def typed_identifier(query: str) -> str:
    """What the person typed, from a query as it came.

    A plus sign is a plus sign: devices send sub-addresses unescaped, and no form is involved that would mean a space.
    """
    return _values(query).get("user-identifier", "").strip()


def document(version: Version, base_url: str) -> bytes:
    """Exactly one server: the device takes the first and looks no further."""
    parts = urlsplit(base_url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("BaseURL has to be an absolute https URL")
    return json.dumps({"Servers": [{"Version": version, "BaseURL": base_url}]}).encode()


def _values(query: str) -> dict[str, str]:
    """The first value of each name: a redirect that copies the query twice changes nothing."""
    values: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        values.setdefault(_decoded(name), _decoded(value))
    return values


def _decoded(escaped: str) -> str:
    """Percent-decoded UTF-8; what is none, or a control character, becomes the replacement character."""
    try:
        # PEP 3333: a server hands raw bytes on as Latin-1.
        raw = unquote_to_bytes(escaped.encode("latin-1"))
    except UnicodeEncodeError:
        raw = unquote_to_bytes(escaped.encode("utf-8", "replace"))
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", raw.decode("utf-8", "replace"))
