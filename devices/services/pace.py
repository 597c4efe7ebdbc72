"""How many devices regular work takes at once: never all of them, who might have enrolled in one hour."""

from datetime import timedelta
from math import ceil
from typing import Final

from devices.models import Enrollment

LEAST: Final = 50
HASTE: Final = 3  # all have had their turn in this part of the time, so that there is some for those who miss it


def turn(period: timedelta, every: timedelta) -> int:
    """For work that comes `every` so often and is to have looked at each managed device once in a period."""
    return max(LEAST, ceil(Enrollment.objects.active().count() * HASTE * every / period))
