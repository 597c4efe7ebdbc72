"""What every reader of property lists allows; profiles and device answers stay below a third of it."""

from epmm.wire.errors import WireError

DEEPEST = 32
# Keys and values: thirty for each of 8,000 apps.  Reading so many takes a fifth of a second.
MOST_ELEMENTS = 1 << 18
# Bytes of what stands in the database: the door took no more of it, or we wrote it.  It only says that there is an end.
LARGEST_STORED = 64 << 20
# An XML <integer> and a binary one can both hold an unsigned 64-bit number (CFNumber writes such as 16 bytes).
_INTEGERS = range(-(1 << 63), 1 << 64)


def bounded_integer(value: int) -> int:
    if value not in _INTEGERS:
        raise WireError("integer out of range")
    return value
