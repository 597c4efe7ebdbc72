"""Where a command is to go, and all that is known about that place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

Version: TypeAlias = tuple[int, ...]

MOST_PARTS: Final = 4
MOST_DIGITS: Final = 5


class Platform(StrEnum):
    IOS = "iOS"  # and iPadOS
    MACOS = "macOS"
    VISIONOS = "visionOS"


class Kind(StrEnum):
    ADDE = "adde"
    AAUE = "aaue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The channel of an enrollment.  What is not known refuses nothing."""

    platform: Platform
    kind: Kind
    user_channel: bool = False
    access_rights: int | None = None  # what the profile asked for; user enrollments have none
    profile_identifier: str = ""  # of the enrollment profile
    os_version: Version | None = None
    supervised: bool | None = None  # as the device says
    # a secret: a function, so that it is decrypted for the one command that carries it and stands in no repr
    unlock_token: Callable[[], bytes | None] = field(default=lambda: None, repr=False, compare=False)

    @property
    def is_supervised(self) -> bool:
        """A device enrollment supervises a Mac (macOS 11), and nothing else; a device may say otherwise."""
        if self.kind is Kind.AAUE:
            return False
        return self.platform is Platform.MACOS if self.supervised is None else self.supervised


def version_of(text: str) -> Version | None:
    """`18.2.1` as (18, 2, 1), without zeros at the end, which mean nothing; None when it is no version."""
    parts = text.split(".")
    if len(parts) > MOST_PARTS or not all(map(_is_number, parts)):
        return None
    numbers = [int(part) for part in parts]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) <= MOST_DIGITS
