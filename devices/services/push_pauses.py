"""How long a push is out, and how long its device is left alone after what came of it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from devices.protocol.push import Verdict

LEASE: Final = timedelta(minutes=1)  # a worker that died gives its batch back after this
LONGEST_PAUSE: Final = timedelta(hours=1)  # after failures that pass; each doubles it
DOUBLED: Final = 5  # failures, from which on it is the longest
UNREACHABLE: Final = timedelta(days=1)  # looked at again after this, or as soon as `waking.revive` says
FURTHEST: Final = timedelta(days=1, hours=1)  # nothing is put off so long: it was, by a clock that was ahead
AHEAD: Final = timedelta(minutes=1)  # another machine's clock may be, by as much
AFTER: Final[Mapping[Verdict, timedelta]] = {
    Verdict.ACCEPTED: timedelta(days=1),  # still unanswered then: the push is repeated
    Verdict.TOO_MANY: timedelta(minutes=5),
    Verdict.TRY_LATER: timedelta(minutes=1),
    Verdict.BAD_CERTIFICATE: timedelta(minutes=15),
    Verdict.WRONG_SERVER: timedelta(minutes=15),
    Verdict.WRONG_TOPIC: timedelta(hours=1),
    Verdict.OUR_FAULT: timedelta(hours=1),
    Verdict.UNREGISTERED: UNREACHABLE,
    Verdict.BAD_TOKEN: UNREACHABLE,
}
PASSING: Final = {Verdict.TOO_MANY, Verdict.TRY_LATER}


def pause_after(verdict: Verdict, failures: int) -> timedelta:
    """Longer each time while Apple has no room or is out of order (429 and 5xx)."""
    return min(AFTER[verdict] * 2**failures, LONGEST_PAUSE) if verdict in PASSING else AFTER[verdict]


def longest_lease(failures: int) -> timedelta:
    return pause_after(Verdict.TOO_MANY, failures - 1) if failures else LEASE
