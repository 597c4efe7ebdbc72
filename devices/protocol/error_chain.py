"""Why a device could not do what it was told.

https://developer.apple.com/documentation/devicemanagement/errorchainitem
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from epmm.wire import plist

LONGEST_DOMAIN: Final = 128
LONGEST_TEXT: Final = 1000
_CODES: Final = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceError:
    code: int | None = None
    domain: str = ""
    text: str = ""


def first_error(answer: Mapping[str, Any]) -> DeviceError:
    """The first link of the chain is the outermost; nothing that it lacks is an error of its own."""
    chain = answer.get("ErrorChain")
    link = chain[0] if isinstance(chain, list) and chain and isinstance(chain[0], dict) else {}
    code = link.get("ErrorCode")
    return DeviceError(
        code=code if type(code) is int and code in _CODES else None,
        domain=_text(link, "ErrorDomain")[:LONGEST_DOMAIN],
        text=(_text(link, "USEnglishDescription") or _text(link, "LocalizedDescription"))[:LONGEST_TEXT],
    )


def _text(link: Mapping[str, Any], key: str) -> str:
    value = link.get(key)
    return str(plist.to_json(value)) if isinstance(value, str) else ""
