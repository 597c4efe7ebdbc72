"""Sessions of the portal as whoever manages administrators sees them.  Their keys open them, so none is shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from epmm import audit
from users.models import PortalSession, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    handle: str  # names the session, and opens nothing
    address: str | None
    started_at: datetime
    is_this: bool


def of(user: User, *, this: str | None) -> list[Shown]:
    """The newest first; `this` is the key of the session that asks."""
    return [
        Shown(
            handle=_handle(row),
            address=row.address,
            started_at=row.started_at,
            is_this=row.session_key == this,
        )
        for row in _open(user).order_by("-started_at")
    ]


def end(user: User, handles: Iterable[str], *, actor: str) -> int:
    """How many have ended."""
    wanted = set(handles)
    keys = [row.session_key for row in _open(user) if _handle(row) in wanted]
    ended, _each = PortalSession.objects.filter(pk__in=keys).delete()
    if ended:
        audit.record(
            "portal.sessions_ended",
            actor=actor,
            subject_type="user",
            subject=user.user_id,
            details={"number": ended},
        )
    return ended


def _open(user: User) -> QuerySet[PortalSession]:
    return PortalSession.objects.filter(user=user, expire_date__gt=timezone.now())


def _handle(row: PortalSession) -> str:
    return salted_hmac("users.portal_sessions", row.session_key, algorithm="sha256").hexdigest()[:32]
