"""Profiles as an administrator would upload them."""

import plistlib
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

IDENTIFIER: Final = "com.example.wifi"
PASSWORD: Final = "a password that nobody may see"
WIFI: Final = {"PayloadType": "com.apple.wifi.managed", "SSID_STR": "Corp", "Password": PASSWORD}


def payload(kind: str, **keys: Any) -> dict[str, Any]:
    return {"PayloadType": kind, **keys}


def profile(*payloads: dict[str, Any], identifier: str = IDENTIFIER, edition: int = 1, **top: Any) -> bytes:
    """`edition` makes it another one with the same identifier."""
    items = [
        {
            "PayloadVersion": 1,
            "PayloadIdentifier": f"{identifier}.{number}",
            "PayloadUUID": uuid(identifier, edition, number),
            **item,
        }
        for number, item in enumerate(payloads or (WIFI,), 1)
    ]
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": identifier,
            "PayloadUUID": uuid(identifier, edition, 0),
            "PayloadDisplayName": "Wi-Fi",
            "PayloadContent": items,
            **top,
        }
    )


def uuid(identifier: str, edition: int, number: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"{identifier}/{edition}/{number}")).upper()


def without(raw: bytes, key: str, *, payload: bool = False) -> bytes:
    keys = plistlib.loads(raw)
    del (keys["PayloadContent"][0] if payload else keys)[key]
    return plistlib.dumps(keys)
