"""Whoever changes a row says which state of it was seen (RFC 9110, 13.1.1; RFC 6585, 3)."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from django.utils.translation import gettext as _

from epmm.api.errors import ApiError

ANY: Final = "*"
TAG: Final = r'(?:W/)?"[!#-~]*"'
TAGS: Final = rf"(?:\*|{TAG}(?:[ \t]*,[ \t]*{TAG})*)"


def of(values: Sequence[Any]) -> str:
    """Of what can be changed, and nothing else: what happens to a row by itself is in nobody's way."""
    told = json.dumps(list(values), default=str, sort_keys=True)
    return f'"{hashlib.sha256(told.encode()).hexdigest()[:32]}"'


def check(header: str | None, tag: str) -> None:
    """Raises ApiError where another state is meant, or none is said."""
    if header is None or not header.strip():
        raise ApiError(428, "if.match.missing", _("Send the ETag that you have read as If-Match, or * for any state."))
    if re.fullmatch(TAGS, header.strip()) is None:
        raise ApiError(400, "if.match.invalid", _("If-Match has ETags, each in quotation marks, or *."))
    # a weak one never matches here (RFC 9110, 8.8.3.2)
    if header.strip() != ANY and tag not in re.findall(TAG, header):
        raise ApiError(
            412, "state.changed", _("This was changed since you have read it. Read it again."), {"ETag": tag}
        )
