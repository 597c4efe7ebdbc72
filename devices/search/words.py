"""What EPMM says in words, and the record in numbers and moments: the search and the results say the same."""

from collections.abc import Mapping
from typing import Final

REACHABLE: Final = "Reachable"
UNREACHABLE: Final = "Unreachable"  # the push service no longer knows it
BLOCK_AND_FILE_LEVEL: Final = 3  # of HardwareEncryptionCaps
DATA_PROTECTION: Final[Mapping[int | None, str]] = {
    0: "None",
    1: "Block level",
    2: "File level",
    BLOCK_AND_FILE_LEVEL: "Block and file level",
}
NO_PASSCODE: Final = "No passcode is set"
NOT_ENCRYPTED: Final = "Not encrypted at block and file level"
