"""Registration PINs that people ask for themselves, where enrolling needs one."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from enrollment.services import registration
from epmm import caller, options, settings_store
from users.errors import TooManyAttempts
from users.models import RegistrationPin, Role, User
from users.services import limits, sign_in
from users.services.limits import Limit


class NotOffered(Exception):
    """PINs are off, or the person's role is another one."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is, and whether the person may have one, or another one in its place."""

    standing: RegistrationPin | None
    is_valid: bool
    may_ask: bool


def offered(user: User, roles: frozenset[str], now: datetime) -> Offer | None:
    """None where nobody is asked for a PIN."""
    if "pin" not in str(settings_store.read(options.REQUIREMENT)):
        return None
    standing = user.registration_pins.standing().first()
    is_valid = standing is not None and standing.used_at is None and not standing.expired(now)
    return Offer(standing, is_valid, (Role.PORTAL_RESET_PIN if is_valid else Role.PORTAL_REGISTER) in roles)


def issue(user: User, roles: frozenset[str], *, address: str | None) -> str:
    """The digits, which are kept nowhere.  Raises NotOffered, TooManyAttempts."""
    offer = offered(user, roles, timezone.now())
    if offer is None or not offer.may_ask:
        raise NotOffered
    spend(limits.PINS, user, address)
    return registration.issue_pin(user, actor=user.user_id)


def spend(limit: Limit, user: User, address: str | None) -> None:
    """What people may ask for so often and no more.  Raises TooManyAttempts."""
    now = timezone.now()
    try:
        with transaction.atomic():
            limits.spend(limit, str(user.pk), now)
    except TooManyAttempts as refusal:
        caller.has_to_wait(refusal.seconds)
        if refusal.is_news:
            limits.note(limit, str(user.pk), now)
            sign_in.record_limit(refusal, user, address)
        raise
