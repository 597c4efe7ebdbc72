"""Access tokens: opaque, only their hash is kept, bound to a person and a sign-in."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from devices.models import Device, Enrollment
from enrollment.models import AccessToken, Attempt
from users.models import User

FETCH_WITHIN: Final = timedelta(hours=1)  # from the sign-in to the profile; Apple's own sign-in comes later
TOKEN_BYTES: Final = 32


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def issue(*, user: User, kind: Enrollment.Kind, reference: str, attempt: Attempt | None, device: Device | None) -> str:
    """The token itself is returned once and kept nowhere."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    AccessToken.objects.create(
        sha256=digest(token),
        user=user,
        kind=kind,
        reference=reference,
        attempt=attempt,
        device=device,
        expires_at=timezone.now() + FETCH_WITHIN,
    )
    return token


def locked(token: str, *, kind: Enrollment.Kind, reference: str) -> AccessToken | None:
    """The token's row, locked, when it may fetch a profile at this address now."""
    row = (
        AccessToken.objects.live()
        .select_for_update()
        .filter(sha256=digest(token), kind=kind, reference=reference)
        .first()
    )
    if row is None:
        return None
    if row.enrollment is not None:
        # A lost answer may be fetched again until the device is active; from then on only a new sign-in leads to a
        # new identity, and a token whose enrollment ended is dead.
        waiting = row.enrollment.state in {Enrollment.State.PENDING, Enrollment.State.AUTHENTICATED}
        return row if waiting else None
    return row if row.expires_at > timezone.now() else None


def revoke_of(enrollment: Enrollment) -> None:
    AccessToken.objects.live().filter(enrollment=enrollment).update(revoked_at=timezone.now())


def belongs_to_another(bearer_sha256: bytes, user_id: int) -> bool:
    return AccessToken.objects.live().filter(sha256=bearer_sha256).exclude(user_id=user_id).exists()


@transaction.atomic
def forget_old() -> None:
    """Tokens that never fetched a profile, and those whose enrollment is long over."""
    day_ago = timezone.now() - timedelta(days=1)
    unused = Q(enrollment=None, expires_at__lt=day_ago)
    over = Q(enrollment__state=Enrollment.State.ENDED, enrollment__ended_at__lt=day_ago)
    AccessToken.objects.filter(unused | over).delete()
