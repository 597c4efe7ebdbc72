"""Long expressions in addresses: a page repeats what was searched for in each of its links, so a word stands for it."""

import hashlib
import re
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import LongExpression
from devices.services.search import SearchRefused

LONG: Final = 500
KEPT: Final = timedelta(days=400)  # after the last time that somebody looked
NOTED_EACH: Final = timedelta(days=1)
_WORD: Final = re.compile(r"~[\w-]{24}", re.ASCII)


def shortened(text: str) -> str:
    """As an address says it; itself where that is short."""
    if len(text) <= LONG:
        return text
    digest = urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:18]).decode()
    LongExpression.objects.get_or_create(digest=digest, defaults={"text": text})
    return f"~{digest}"


def whole(said: str) -> str:
    """What an address means.  Raises SearchRefused."""
    if not _WORD.fullmatch(said):
        return said
    row = LongExpression.objects.filter(digest=said[1:]).first()
    if row is None:
        raise SearchRefused(_("What was searched for at this address is kept no longer."))
    now = timezone.now()
    if row.used_at < now - NOTED_EACH:
        LongExpression.objects.filter(pk=row.pk).update(used_at=now)
    return row.text


def forget(now: datetime) -> None:
    LongExpression.objects.filter(used_at__lt=now - KEPT).delete()
