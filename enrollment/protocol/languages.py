"""What a device says about its language, as tags in order: RFC 9110, 12.5.4, and BCP 47."""

import re
from typing import Final

LONGEST: Final = 500
MOST: Final = 10
_RANGE: Final = re.compile(
    r"([a-z]{2,3})(?:[-_][a-z]{4})?(?:[-_]([a-z]{2}|[0-9]{3}))?(?:[-_][a-z0-9-]{1,30})?(?:;q=([01](?:\.[0-9]{0,3})?))?",
    re.IGNORECASE,
)


def wanted(*headers: str) -> list[str]:
    """`de-AT`, `de` and so on, the most wanted first; what is no language is passed over."""
    found: list[str] = []
    for header in headers:
        ranged = [_RANGE.fullmatch(part.replace(" ", "")) for part in header[:LONGEST].split(",")[:MOST]]
        weighed = [(float(each[3] or 1), each) for each in ranged if each is not None]
        for weight, each in sorted(weighed, key=lambda pair: -pair[0]):
            if weight > 0:
                language = each[1].lower()
                found += [f"{language}-{each[2].upper()}"] if each[2] else []
                found.append(language)
    return list(dict.fromkeys(found))
