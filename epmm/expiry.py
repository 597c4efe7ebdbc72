"""When a certificate ends soon: the same on every page, in warnings and for webhooks."""

from datetime import timedelta
from typing import Final

EXPIRED: Final = 0
THRESHOLDS: Final = (60, 30, 14, 7, 1, EXPIRED)  # days
SOON: Final = timedelta(days=THRESHOLDS[0])


def reached(left: timedelta) -> int | None:
    """The nearest threshold that has come; None while there is time."""
    return min((days for days in THRESHOLDS if left <= timedelta(days=days)), default=None)
