"""On SQLite: how many rows an index leads to, counted before it is chosen.  Which way is taken changes no answer."""

import time
from collections.abc import Sequence
from typing import Any, Final

FEW: Final = 10_000
COUNTS_FOR: Final = 5  # seconds
MOST_COUNTED: Final = 256
_counted: Final[dict[tuple[Any, ...], tuple[float, int]]] = {}


def counted(connection: Any, rows: str, parameters: Sequence[Any]) -> int:
    """Up to FEW and one more, once for all the statements of a page."""
    key = (str(connection.settings_dict["NAME"]), rows, *parameters)
    now = time.monotonic()
    known = _counted.get(key)
    if known is None or known[0] < now:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({rows} LIMIT %s)", [*parameters, FEW + 1])  # noqa: S608 - ours
            known = (now + COUNTS_FOR, cursor.fetchone()[0])
        if len(_counted) >= MOST_COUNTED:
            _counted.clear()
        _counted[key] = known
    return known[1]
