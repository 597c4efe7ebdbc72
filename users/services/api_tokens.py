"""Tokens of the API: made for an administrator, shown once, and gone at a day that is known from the start."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from epmm import audit
from users.errors import InvalidToken
from users.models import AdminRole, ApiToken, User

BEGINNING: Final = "epmm_"  # by which scanners for secrets know one
RANDOM_BYTES: Final = 32
LONGEST_NAME: Final = 100
LONGEST_DAYS: Final = 730
MOST: Final = 50  # usable ones of one administrator
TOUCH_SECONDS: Final = 60


@transaction.atomic
def create(user: User, *, name: str, scopes: Iterable[str], days: int, actor: str) -> tuple[ApiToken, str]:
    """The row, and the token itself, which nobody sees again.  Raises InvalidToken."""
    held = _locked(user).admin_role_keys()
    wanted = frozenset(scopes) - {AdminRole.API}
    _check(user, name, wanted, days, held)
    token = BEGINNING + secrets.token_urlsafe(RANDOM_BYTES)
    row = ApiToken.objects.create(
        user=user,
        name=name.strip(),
        sha256=digest(token),
        scopes=sorted(wanted),
        created_by=actor[:255],
        expires_at=timezone.now() + timedelta(days=days),
    )
    _record("api_token.created", row, actor, {"scopes": row.scopes, "expires": row.expires_at.isoformat()})
    return row, token


@transaction.atomic
def revoke(token: ApiToken, *, actor: str) -> bool:
    """At once.  False when it was so already."""
    revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
    if not revoked.update(revoked_at=timezone.now(), revoked_by=actor[:255]):
        return False
    _record("api_token.revoked", token, actor, {})
    return True


def of(user: User) -> QuerySet[ApiToken]:
    """The usable ones, the newest first."""
    return ApiToken.objects.usable(timezone.now()).filter(user=user).order_by("-pk")


def find(token: str, now: datetime) -> ApiToken | None:
    """The usable one that is meant."""
    if not token.startswith(BEGINNING) or not token.isascii():
        return None
    usable = ApiToken.objects.usable(now).select_related("user")
    return usable.filter(sha256=digest(token), user__is_active=True).first()


def touch(token: ApiToken, address: str | None, now: datetime) -> None:
    """Once a minute: a row a call would be a row a call."""
    if token.last_used_at is not None and (now - token.last_used_at).total_seconds() < TOUCH_SECONDS:
        return
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_from=audit.plain_address(address))


def digest(token: str) -> bytes:
    """256 bits by chance: no slow hash makes it harder to guess."""
    return hashlib.sha256(token.encode()).digest()


def _locked(user: User) -> User:
    return User.objects.select_for_update().get(pk=user.pk)


def _check(user: User, name: str, scopes: frozenset[str], days: int, held: frozenset[str]) -> None:
    if not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise InvalidToken(_("A token has a name of 1 to {n} characters.").format(n=LONGEST_NAME))
    if AdminRole.API not in held:
        raise InvalidToken(_("Tokens need the role “{role}”.").format(role=AdminRole.API.label))
    if not scopes or scopes - held:
        raise InvalidToken(_("Choose at least one of the roles that its owner has."))
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidToken(_("A token lives for 1 to {n} days.").format(n=LONGEST_DAYS))
    if of(user).count() >= MOST:
        raise InvalidToken(_("Nobody has more than {n} tokens: revoke one first.").format(n=MOST))


def _record(action: str, token: ApiToken, actor: str, details: dict[str, object]) -> None:
    audit.record(
        action,
        actor=actor,
        subject_type="user",
        subject=token.user.user_id,
        details={"token": token.pk, "name": token.name} | details,
    )
