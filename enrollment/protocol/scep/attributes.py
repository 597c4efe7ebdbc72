"""The signed attributes that make a CMS message a SCEP message (RFC 8894 section 3.2.1)."""

from enum import StrEnum

from asn1crypto import cms, core

from epmm.wire.cms import Signer
from epmm.wire.errors import WireError, edge


class Attribute(StrEnum):
    CONTENT_TYPE = "1.2.840.113549.1.9.3"
    MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
    MESSAGE_TYPE = "2.16.840.1.113733.1.9.2"
    PKI_STATUS = "2.16.840.1.113733.1.9.3"
    FAIL_INFO = "2.16.840.1.113733.1.9.4"
    SENDER_NONCE = "2.16.840.1.113733.1.9.5"
    RECIPIENT_NONCE = "2.16.840.1.113733.1.9.6"
    TRANSACTION_ID = "2.16.840.1.113733.1.9.7"


class MessageType(StrEnum):
    CERT_REP = "3"
    RENEWAL_REQ = "17"
    PKCS_REQ = "19"


class PkiStatus(StrEnum):
    SUCCESS = "0"
    FAILURE = "2"


# RFC 8894 asks for PrintableString; a client that writes its text as another kind of string is understood all the same.
_TEXTS = (core.PrintableString, core.UTF8String, core.IA5String)
_LONGEST = 128


def read_text(signer: Signer, name: Attribute) -> str:
    value = _single(signer, name)
    if not isinstance(value, _TEXTS) or not _is_plain(value.native):
        raise WireError(f"{name.name}: not a short text")
    return str(value.native)


def read_octets(signer: Signer, name: Attribute) -> bytes:
    value = _single(signer, name)
    if not isinstance(value, core.OctetString) or not 0 < len(value.native) <= _LONGEST:
        raise WireError(f"{name.name}: not a short octet string")
    return bytes(value.native)


def text(name: Attribute, value: str) -> cms.CMSAttribute:
    """Apple's client compares these attributes byte by byte with a PrintableString."""
    return _attribute(name, core.PrintableString(value))


def octets(name: Attribute, value: bytes) -> cms.CMSAttribute:
    return _attribute(name, core.OctetString(value))


def content_type() -> cms.CMSAttribute:
    return _attribute(Attribute.CONTENT_TYPE, cms.ContentType("data"))


def _single(signer: Signer, name: Attribute) -> core.Asn1Value:
    values = (signer.attributes or {}).get(name, ())
    if len(values) != 1:
        raise WireError(f"{name.name}: expected exactly once")
    with edge(WireError, f"{name.name}: unreadable"):
        value = core.load(values[0], strict=True)
        _ = value.native  # asn1crypto decodes when first asked
        return value


def _is_plain(value: str) -> bool:
    return 0 < len(value) <= _LONGEST and value.isascii() and value.isprintable()


def _attribute(name: Attribute, value: core.Asn1Value) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": name.value, "values": [value]})
