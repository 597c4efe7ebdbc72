"""Who a message says it is from.  Only the certificate proves it."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from epmm.wire.errors import WireError
from epmm.wire.plist import required

IDENTIFIER: Final = 128  # no fixed alphabet or length: `00008140-...` on phones, a UUID on Macs
NAME: Final = 255

# Every user of a Shared iPad has this UserID; only the short name tells them apart.
SHARED_IPAD_USER: Final = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"


class Sender(NamedTuple):
    """Absent identifiers are empty.  A user enrollment has an EnrollmentID in place of the UDID."""

    udid: str = ""
    enrollment_id: str = ""
    user_key: str = ""  # empty: the device channel
    user_short_name: str = ""
    user_long_name: str = ""

    @property
    def device_key(self) -> str:
        return self.udid or self.enrollment_id

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        """Either identifier will do: Apple's schema marks both as required in places, and neither in others."""
        user_id = text(source, "UserID", IDENTIFIER) or text(source, "EnrollmentUserID", IDENTIFIER)
        short_name = text(source, "UserShortName", NAME)
        sender = cls(
            udid=text(source, "UDID", IDENTIFIER),
            enrollment_id=text(source, "EnrollmentID", IDENTIFIER),
            user_key=short_name if user_id.upper() == SHARED_IPAD_USER else user_id,
            user_short_name=short_name,
            user_long_name=text(source, "UserLongName", NAME),
        )
        if not sender.device_key:
            raise WireError("neither UDID nor EnrollmentID")
        if len(sender.user_key) > IDENTIFIER or (user_id and not sender.user_key):
            raise WireError("UserShortName: does not name the user of a Shared iPad")
        return sender


def text(source: Mapping[str, Any], key: str, longest: int) -> str:
    """Optional text, empty when absent, no longer than the column that keeps it."""
    return required(source, key, str, longest=longest) if key in source else ""
