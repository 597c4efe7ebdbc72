"""Is this the person?  One door for password and PIN that tells a stranger nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Q

from epmm import audit, caller
from epmm.models import AuditEntry
from epmm.texts import is_storable
from users.errors import (
    AccountDisabled,
    PasswordMustChange,
    PinExpired,
    SignInRefused,
    TooManyAttempts,
    WrongCredentials,
)
from users.models import DirectoryEntry, RegistrationPin, User
from users.services import lock_out, networks, passwords, people, pins

FAILED: Final = "sign_in.failed"
LIMITED: Final = "sign_in.limited"
FAILURES_KEPT: Final = timedelta(days=90)
MOST_FAILURES: Final = 100_000


class Requirement(StrEnum):
    """The values of the setting `registration.requirement`."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind of credential
    PIN = "pin"
    PASSWORD_AND_PIN = "password_and_pin"  # noqa: S105 - as above

    @property
    def asks_password(self) -> bool:
        return self is not Requirement.PIN

    @property
    def asks_pin(self) -> bool:
        return self is not Requirement.PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    user: User
    pin: RegistrationPin | None  # to be used up with `pins.consume` when the sign-in leads somewhere


def verify(
    name: str,
    *,
    password: str,
    pin: str,
    requirement: str,
    address: str | None,
    used_for: str,
    domains: Sequence[str],
) -> SignedIn:
    """The person who typed `name`; raises SignInRefused.  Whoever completes the sign-in `used_for` consumes the PIN.

    Not inside a transaction: the count of failures must outlive the refusal.
    """
    asked = Requirement(requirement)
    if not _worth_hashing(name, password, pin, asked):
        raise WrongCredentials
    user = people.resolve(name, domains) or _nobody()
    counted = _count(people.without_own_domain(name, domains), user, address)
    of_stranger = counted.is_of_stranger
    try:
        user, right_pin = _check_credentials(user, name, password, pin, asked, used_for, of_stranger=of_stranger)
        lock_out.clear(counted)
        check_standing(user)
    except TooManyAttempts as busy:
        lock_out.take_back(counted)
        caller.has_to_wait(busy.seconds)
        raise
    except SignInRefused as refusal:
        _record_failure(user, refusal, address)
        if isinstance(refusal, WrongCredentials):
            raise WrongCredentials from None  # not even its type tells what was wrong
        raise
    caller.has_signed_in(user.pk)
    networks.note(user, address)
    return SignedIn(user=user, pin=right_pin)


def forget(now: datetime) -> None:
    """Strangers write these entries, so their number and age are bounded."""
    for action in (FAILED, LIMITED):
        audit.bound(action, since=now - FAILURES_KEPT, newest=MOST_FAILURES)


def _count(name: str, user: User, address: str | None) -> lock_out.Counted:
    """Raises TooManyAttempts."""
    try:
        return lock_out.count_attempt(name, address, browser=caller.browser_of(user.pk))
    except TooManyAttempts as refusal:
        record_limit(refusal, user, address)
        raise


def record_limit(refusal: TooManyAttempts, user: User, address: str | None) -> None:
    """That somebody is kept waiting: once in a while for each who is."""
    if refusal.is_news:
        _record(LIMITED, user, address, {"limit": refusal.limit, "seconds": refusal.seconds})


def _worth_hashing(name: str, password: str, pin: str, asked: Requirement) -> bool:
    """Whatever can be nobody's credentials is refused without the work of hashing it, and without a row."""
    if not (0 < len(name.strip()) <= people.LONGEST_NAME and name.strip().isprintable()):
        return False
    if asked.asks_pin and not 0 < len(pin.strip()) <= pins.LONGEST_TYPED:
        return False
    return not asked.asks_password or (0 < len(password) <= people.LONGEST_PASSWORD and is_storable(password))


def _nobody() -> User:
    """Stands in for an unknown person, whose sign-in then takes the same steps and the same time."""
    return User(pk=0, password=UNUSABLE_PASSWORD_PREFIX)


def _without_password() -> User:
    """Stands in for whoever's PIN was wrong: somebody local, whom no directory may prove to be anybody else."""
    return User(pk=-1, password=UNUSABLE_PASSWORD_PREFIX)


def _check_credentials(
    user: User, name: str, password: str, pin: str, asked: Requirement, used_for: str, *, of_stranger: bool
) -> tuple[User, RegistrationPin | None]:
    """The work is the same whichever was wrong: after a wrong PIN the password is looked for where it cannot be right.

    So without the PIN nobody learns anything of a password, nor locks an account at its directory.
    """
    proven: User | None = user
    right_pin: RegistrationPin | None = None
    refused: SignInRefused | None = None
    if asked.asks_pin:
        try:
            with passwords.turn(of_stranger=of_stranger):
                right_pin = pins.check(user, pin, used_for)
        except (WrongCredentials, PinExpired) as refusal:
            refused = refusal
    if asked.asks_password:
        whose = _without_password() if isinstance(refused, WrongCredentials) else user
        proven = passwords.check(whose, password, name, of_stranger=of_stranger)
    if proven is None:
        raise WrongCredentials
    if refused is not None:
        raise refused
    return proven, right_pin


def may_sign_in(user: User) -> bool:
    """Whatever the password: nobody has switched off the person, or where they come from."""
    try:
        check_standing(user)
    except SignInRefused:
        return False
    return True


def is_switched_on(user: User) -> bool:
    """The person, and where they come from."""
    return user.is_active and _is_of_an_enabled_origin(user)


def check_standing(user: User) -> None:
    if not is_switched_on(user):
        raise AccountDisabled
    if user.must_change_password:
        raise PasswordMustChange


def _is_of_an_enabled_origin(user: User) -> bool:
    """Somebody with a PIN and of a disabled directory is nobody, too."""
    if user.source == User.Source.LOCAL:
        return True
    disabled = Q(directory__is_enabled=False) | Q(provider__is_enabled=False)
    return not DirectoryEntry.objects.filter(disabled, user=user).exists()


def _record_failure(user: User, refusal: SignInRefused, address: str | None) -> None:
    _record(FAILED, user, address, {"reason": type(refusal).__name__})


def _record(action: str, user: User, address: str | None, details: dict[str, object]) -> None:
    """Known or not, one row: what was typed for an unknown name may be a password, so it is not kept."""
    audit.record(
        action,
        actor=user.user_id or "unknown",
        subject_type="user",
        subject=user.user_id or "unknown",
        address=address,
        status=AuditEntry.Status.FAILED,
        details=details,
    )
