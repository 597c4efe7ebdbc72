"""Which country a mobile network is in, by its codes (ITU-T E.212)."""

from collections import Counter
from typing import Any, Final

from phone_iso3166.e212 import networks

MCC_DIGITS: Final = 3


def country_of(mcc: Any, mnc: Any) -> str:
    """ISO 3166; empty: it is none.  Where a few share a code the network decides, or else what most of them are in."""
    found = networks.get(_number(mcc), "")
    if isinstance(found, str):
        return found
    return found.get(_number(mnc)) or Counter(found.values()).most_common(1)[0][0]


def is_mcc(text: str) -> bool:
    """Devices without a SIM are known to say 65535."""
    return len(text) == MCC_DIGITS and text.isascii() and text.isdecimal()


def _number(code: Any) -> int:
    is_code = isinstance(code, str) and len(code) <= MCC_DIGITS and code.isascii() and code.isdecimal()
    return int(code) if is_code else -1
