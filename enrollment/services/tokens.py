"""Access tokens: opaque, only their hash is kept, bound to a person and a sign-in."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from devices.models import Device, Enrollment
from enrollment.models import AccessToken, Attempt
from epmm import options, settings_store
from users.models import User

FETCH_WITHIN: Final = timedelta(hours=1)  # from the sign-in to the profile; Apple's own sign-in comes later
TOKEN_BYTES: Final = 32
UNDER_WAY: Final = timedelta(minutes=1)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def issue(*, user: User, kind: Enrollment.Kind, reference: str, attempt: Attempt | None, device: Device | None) -> str:
    """The token itself is returned once and kept nowhere."""
    return issue_row(
        user=user, kind=kind, reference=reference, attempt=attempt, device=device, lapses_at=sign_in_holds_until()
    )[0]


def issue_row(
    *,
    user: User,
    kind: Enrollment.Kind,
    reference: str,
    attempt: Attempt | None,
    device: Device | None,
    lapses_at: datetime | None,
    enrollment: Enrollment | None = None,
) -> tuple[str, AccessToken]:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = AccessToken.objects.create(
        sha256=digest(token),
        user=user,
        kind=kind,
        reference=reference,
        attempt=attempt,
        device=device,
        enrollment=enrollment,
        expires_at=timezone.now() + FETCH_WITHIN,
        lapses_at=lapses_at,
    )
    return token, row


def sign_in_holds_until() -> datetime | None:
    """None: nobody is asked again."""
    if not settings_store.read(options.REAUTHENTICATION):
        return None
    return timezone.now() + timedelta(days=settings_store.read(options.REAUTHENTICATION_DAYS))


def reissue(enrollment: Enrollment, *, attempt: Attempt | None) -> str:
    """For whoever has signed in again on an enrolled device."""
    token, row = issue_row(
        user=enrollment.user,
        kind=Enrollment.Kind(enrollment.kind),
        reference="",
        attempt=attempt,
        device=enrollment.device,
        enrollment=enrollment,
        lapses_at=sign_in_holds_until(),
    )
    put_in_place(row)
    return token


def replace(before: AccessToken, *, lapses_at: datetime | None) -> tuple[str, AccessToken]:
    """Renewed.  What is under way with the one before still counts for a moment."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    after = AccessToken.objects.create(
        sha256=digest(token),
        user_id=before.user_id,
        kind=before.kind,
        reference=before.reference,
        attempt_id=before.attempt_id,
        device_id=before.device_id,
        enrollment_id=before.enrollment_id,
        expires_at=before.expires_at,  # a renewal gives no more time to fetch a profile
        lapses_at=lapses_at,
    )
    moment = timezone.now() + UNDER_WAY
    before.lapses_at = min(before.lapses_at or moment, moment)
    before.save(update_fields=["lapses_at"])
    # unless somebody has signed in again meanwhile
    standing = Enrollment.objects.filter(pk=before.enrollment_id or 0, bearer_sha256=before.sha256)
    standing.update(bearer_sha256=after.sha256, bearer_lapses_at=after.lapses_at)
    return token, after


def put_in_place(row: AccessToken) -> None:
    """From now on this is the bearer that the enrollment's device shows."""
    Enrollment.objects.filter(pk=row.enrollment_id or 0).update(
        bearer_sha256=row.sha256, bearer_lapses_at=row.lapses_at
    )


def revoke(row: AccessToken) -> None:
    """Its device is asked to sign in again, where devices are asked."""
    now = timezone.now()
    AccessToken.objects.live().filter(pk=row.pk).update(revoked_at=now)
    Enrollment.objects.filter(pk=row.enrollment_id or 0, bearer_sha256=row.sha256).update(bearer_lapses_at=now)


def has_lapsed(enrollment: Enrollment, bearer_sha256: bytes) -> bool:
    """Whether this is a token of this enrollment that no longer counts.  Of one that is not known nobody can say."""
    now = timezone.now()
    mine = AccessToken.objects.filter(sha256=bearer_sha256, enrollment=enrollment, user_id=enrollment.user_id)
    return mine.filter(Q(revoked_at__isnull=False) | Q(lapses_at__lte=now)).exists()


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
    # the last one of an enrollment stays, so that its device is known to show an old one
    followed = Q(lapses_at__lt=day_ago, enrollment__isnull=False) & ~Q(sha256=F("enrollment__bearer_sha256"))
    AccessToken.objects.filter(unused | over | followed).delete()
