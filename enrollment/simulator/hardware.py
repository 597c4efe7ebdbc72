"""The devices we play: what each family says about itself."""

import secrets
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

_SERIAL_ALPHABET = "0123456789CDFGHJKLMNPQRTVWXY"  # Apple's: no letter that looks like a digit


class Family(StrEnum):
    IPHONE = "iPhone"
    IPAD = "iPad"
    MAC = "Mac"

    @property
    def is_mac(self) -> bool:
        return self is Family.MAC


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    product: str
    name: str
    number: str
    os_version: str
    build: str
    chip: str  # the part of an iPhone's UDID that stays the same


_MODELS = {
    Family.IPHONE: Model(
        product="iPhone17,1", name="iPhone", number="MYW23LL/A", os_version="18.2", build="22C152", chip="00008140"
    ),
    Family.IPAD: Model(
        product="iPad16,3", name="iPad", number="MVV83LL/A", os_version="18.2", build="22C152", chip="00008132"
    ),
    Family.MAC: Model(
        product="Mac15,3", name="MacBook Pro", number="MR7J3LL/A", os_version="15.2", build="24C101", chip=""
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One device, before and after any enrollment."""

    family: Family
    model: Model
    udid: str
    serial: str
    imei: str | None
    language: str = "en-US"

    @classmethod
    def new(
        cls,
        family: Family = Family.IPHONE,
        *,
        udid: str | None = None,
        serial: str | None = None,
        model: Model | None = None,
        language: str = "en-US",
    ) -> Self:
        model = model or _MODELS[family]
        return cls(
            family=family,
            model=model,
            udid=udid or _new_udid(model.chip),
            serial=serial or "".join(secrets.choice(_SERIAL_ALPHABET) for _ in range(10)),
            imei=_new_imei() if family is Family.IPHONE else None,
            language=language,
        )

    @property
    def name(self) -> str:
        return f"{self.model.name} {self.serial[-4:]}"

    @property
    def supervised(self) -> bool:
        """Device enrollment supervises a Mac and not an iPhone or iPad ("Device Enrollment and MDM")."""
        return self.family.is_mac


def _new_udid(chip: str) -> str:
    return f"{chip}-{secrets.token_hex(8).upper()}" if chip else str(uuid.uuid4()).upper()


def _new_imei() -> str:
    """Fifteen digits of a test range, the last one the check digit of Luhn."""
    body = "00440123" + "".join(secrets.choice("0123456789") for _ in range(6))
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(body)]
    return body + str(-sum(value // 10 + value % 10 for value in doubled) % 10)
