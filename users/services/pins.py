"""Registration PINs: issued to one person, shown once, used once."""

import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Self

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password, make_password
from django.db import transaction
from django.utils import timezone

from epmm import audit, options, settings_store
from epmm.models import Job
from users.errors import PinExpired, PinUsed, PinWrong
from users.models import RegistrationPin, User

LONGEST_TYPED: Final = 32  # twelve digits and the spaces people type between them
LONGEST_USED_FOR: Final = 64
REPEATED_WITHIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPin:
    """A PIN on its way to the person: the only place where its digits and its hash are together."""

    digits: str = field(repr=False)
    hashed: str = field(repr=False)

    @classmethod
    def draw(cls) -> Self:
        """Slow, as hashing is: not inside a transaction."""
        length = settings_store.read(options.PIN_LENGTH)
        digits = f"{secrets.randbelow(10**length):0{length}}"
        return cls(digits=digits, hashed=make_password(digits))


def issue(user: User, *, actor: str, new: NewPin | None = None) -> str:
    """Issue a PIN and return its digits, which are kept nowhere."""
    new = new or NewPin.draw()
    hand_out(user, new, actor=actor)
    return new.digits


@transaction.atomic
def hand_out(user: User, new: NewPin, *, actor: str) -> RegistrationPin:
    pin = store(user, new, actor=actor)
    # a record waits for the device; it belongs to another app, and the handler of this kind with it
    Job.enqueue("enrollment.pin_issued", pin=pin.pk)
    return pin


@transaction.atomic
def store(user: User, new: NewPin, *, actor: str) -> RegistrationPin:
    """The new PIN cancels the one before; of two issued at once, the later one stands."""
    User.objects.select_for_update().get(pk=user.pk)
    now = timezone.now()
    user.registration_pins.standing().update(revoked_at=now)
    expires_at = now + timedelta(hours=settings_store.read(options.PIN_EXPIRY_HOURS))
    pin = user.registration_pins.create(hashed=new.hashed, issued_at=now, expires_at=expires_at)
    audit.record(
        "pin.issued",
        actor=actor,
        subject_type="user",
        subject=user.user_id,
        details={"expires": expires_at.isoformat()},
    )
    return pin


@transaction.atomic
def revoke(pin: RegistrationPin, *, actor: str) -> bool:
    """Take it back.  False when it was used, or replaced, or taken back before."""
    changed = RegistrationPin.objects.standing().filter(pk=pin.pk, used_at=None)
    if not changed.update(revoked_at=timezone.now(), revoked_by=actor[:255]):
        return False
    audit.record("pin.revoked", actor=actor, subject_type="user", subject=pin.user.user_id)
    return True


def check(user: User, typed: str, used_for: str) -> RegistrationPin:
    """The person's standing PIN, when it is what was typed.  One hash is computed, whether or not there is a PIN."""
    pin = RegistrationPin.objects.standing().filter(user_id=user.pk).first()
    if not check_password(_digits(typed), pin.hashed if pin is not None else UNUSABLE_PASSWORD_PREFIX) or pin is None:
        raise PinWrong
    if pin.used_at is not None:
        # the answer to this very sign-in was lost, or its person begins anew; the PIN may expire meanwhile
        repeated_until = max(pin.expires_at, pin.used_at + REPEATED_WITHIN)
        if pin.used_for != used_for or not used_for or timezone.now() > repeated_until:
            raise PinUsed
    elif pin.expired(timezone.now()):
        raise PinExpired
    return pin


@transaction.atomic
def consume(pin: RegistrationPin, used_for: str) -> None:
    """Use the PIN up for one sign-in, which may repeat itself.  The row count decides between two at once."""
    if not 0 < len(used_for) <= LONGEST_USED_FOR:
        raise ValueError("used_for must name the sign-in")
    row = RegistrationPin.objects.standing().filter(pk=pin.pk)
    if row.filter(used_at=None).update(used_at=timezone.now(), used_for=used_for) == 1:
        audit.record("pin.used", actor=pin.user.user_id, subject_type="user", subject=pin.user.user_id)
    elif not row.filter(used_for=used_for).exists():
        raise PinUsed


def _digits(typed: str) -> str:
    """People type spaces between the digits, and some keyboards have digits of their own script."""
    return "".join(str(unicodedata.decimal(character, "?")) for character in typed if not character.isspace())
