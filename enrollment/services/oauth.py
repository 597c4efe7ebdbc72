"""Our authorization server for `apple-oauth2`: codes and refresh tokens, each good for one use.

A code or refresh token that comes twice is in two hands: whatever the sign-in led to ends then (RFC 6749, 4.1.2;
RFC 9700, 2.2.2).  Rows are made for people who have signed in, never for strangers.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from devices.models import Device, Enrollment
from enrollment.models import Attempt, AuthorizationCode, RefreshToken, TokenFamily
from enrollment.protocol import challenge, oauth
from enrollment.protocol.oauth import CodeRequest, OAuthError, RefreshRequest, Tokens
from enrollment.services import tokens
from epmm import options, settings_store
from users.models import User

CODE_VALID_FOR: Final = timedelta(minutes=5)
ACCESS_FOR: Final = timedelta(hours=1)  # then the device renews it by itself
ALWAYS: Final = timedelta(days=3650)  # where nobody is asked to sign in again
LOST_FOR: Final = timedelta(minutes=2)  # within which a renewal whose answer was lost may be asked for again


def challenge_for(sealed: str) -> str:
    return challenge.oauth_challenge(
        authorization_url=f"{settings.PUBLIC_URL}/enroll/oauth2/authorize/{sealed}",
        token_url=f"{settings.PUBLIC_URL}/enroll/oauth2/token",
        client_id=oauth.CLIENT_ID,
        scope=oauth.SCOPE,
    )


def issue_code(
    *,
    user: User,
    kind: Enrollment.Kind,
    reference: str,
    attempt: Attempt | None,
    code_challenge: str,
    device: Device | None = None,
    enrollment: Enrollment | None = None,
) -> str:
    """The code itself is returned once and kept nowhere."""
    code = secrets.token_urlsafe(tokens.TOKEN_BYTES)
    AuthorizationCode.objects.create(
        sha256=tokens.digest(code),
        user=user,
        kind=kind,
        reference=reference,
        attempt=attempt,
        device=device,
        enrollment=enrollment,
        code_challenge=code_challenge,
        expires_at=timezone.now() + CODE_VALID_FOR,
    )
    return code


def answer(request: CodeRequest | RefreshRequest) -> Tokens:
    """Raises OAuthError; what is revoked by then stays so."""
    with transaction.atomic():
        found = _exchanged(request) if isinstance(request, CodeRequest) else _renewed(request)
    if found is None:
        raise OAuthError("invalid_grant")
    return found


def _exchanged(request: CodeRequest) -> Tokens | None:
    codes = AuthorizationCode.objects.select_for_update()
    code = codes.filter(sha256=tokens.digest(request.code)).first()
    if code is None:
        return None
    if code.used_at is not None:
        if code.family is not None:
            _revoke(code.family)
        return None
    code.used_at = timezone.now()
    code.save(update_fields=["used_at"])  # a wrong verifier has spent it, too
    is_good = code.expires_at > code.used_at and oauth.proves(request.code_verifier, code.code_challenge)
    if not is_good or not code.user.is_active:
        return None
    access, row = tokens.issue_row(
        user=code.user,
        kind=Enrollment.Kind(code.kind),
        reference=code.reference,
        attempt=code.attempt,
        device=code.device,
        enrollment=code.enrollment,
        lapses_at=_access_until(),
    )
    code.family = TokenFamily.objects.create(token=row)
    code.save(update_fields=["family"])
    if code.enrollment is not None:
        tokens.put_in_place(row)
    return _tokens(access, code.family)


def _renewed(request: RefreshRequest) -> Tokens | None:
    refresh_tokens = RefreshToken.objects.select_for_update()
    row = refresh_tokens.filter(sha256=tokens.digest(request.refresh_token)).first()
    if row is None:
        return None
    family, now = TokenFamily.objects.select_for_update().get(pk=row.family_id), timezone.now()
    if family.revoked_at is not None or row.expires_at <= now:
        return None
    if row.used_at is not None and not _was_lost(row):
        _revoke(family)
        return None
    before = family.token
    is_over = before.enrollment is not None and before.enrollment.state == Enrollment.State.ENDED
    if before.revoked_at is not None or is_over or not before.user.is_active:
        return None
    access, after = tokens.replace(before, lapses_at=_access_until())
    family.token = after
    family.save(update_fields=["token"])
    # of an answer that was lost nobody has the successor
    family.refresh_tokens.filter(used_at=None).exclude(pk=row.pk).delete()
    row.used_at = row.used_at or now
    row.save(update_fields=["used_at"])
    return _tokens(access, family)


def _was_lost(row: RefreshToken) -> bool:
    """The renewal it was used for: a moment ago, and whoever should have got its answer has not used it."""
    is_recent = row.used_at is not None and timezone.now() - row.used_at < LOST_FOR
    later = row.family.refresh_tokens.filter(pk__gt=row.pk)
    return is_recent and not later.exclude(used_at=None).exists()


def _revoke(family: TokenFamily) -> None:
    family.revoked_at = timezone.now()
    family.save(update_fields=["revoked_at"])
    tokens.revoke(family.token)


def _access_until() -> datetime | None:
    return timezone.now() + ACCESS_FOR if settings_store.read(options.REAUTHENTICATION) else None


def _tokens(access: str, family: TokenFamily) -> Tokens:
    is_asked_again = settings_store.read(options.REAUTHENTICATION)
    holds = timedelta(days=settings_store.read(options.REAUTHENTICATION_DAYS)) if is_asked_again else ALWAYS
    refresh = secrets.token_urlsafe(tokens.TOKEN_BYTES)
    RefreshToken.objects.create(sha256=tokens.digest(refresh), family=family, expires_at=family.created_at + holds)
    expires = ACCESS_FOR if is_asked_again else ALWAYS
    return Tokens(access_token=access, refresh_token=refresh, expires_in=int(expires.total_seconds()))


def forget_old() -> None:
    """Codes of yesterday, and refresh tokens that nobody could use any more."""
    day_ago = timezone.now() - timedelta(days=1)
    AuthorizationCode.objects.filter(expires_at__lt=day_ago).delete()
    RefreshToken.objects.filter(Q(expires_at__lt=day_ago) | Q(family__revoked_at__lt=day_ago)).delete()
