"""An administrator's second factor: an authenticator, and backup codes for the day it is lost."""

import secrets
from base64 import b32encode
from typing import Final
from urllib.parse import quote, urlencode

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.crypto import salted_hmac
from django_otp.oath import TOTP

from epmm import audit, caller
from users.errors import TooManyAttempts, WrongCode
from users.models import Authenticator, BackupCode, User
from users.services import lock_out, sign_in

ISSUER: Final = "EPMM"
KEY_BYTES: Final = 20  # RFC 4226, 4: as long as the hash of the codes
STEP_SECONDS: Final = 30
DIGITS: Final = 6
TOLERANCE: Final = 1  # steps before and after, for somebody who types slowly
CODES: Final = 10
LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
LONGEST_CODE: Final = 16


def is_on(user: User) -> bool:
    return Authenticator.objects.filter(user=user, confirmed=True).exists()


def told(users: QuerySet[User]) -> QuerySet[User]:
    """Each with `has_second_factor`."""
    return users.annotate(has_second_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk"), confirmed=True)))


def codes_left(user: User) -> int:
    return BackupCode.objects.filter(user=user).count()


def check(user: User, code: str) -> None:
    """One of the authenticator, or a backup code; each is taken once.  Raises WrongCode."""
    code = code.replace(" ", "")[:LONGEST_CODE]
    with transaction.atomic():
        authenticator = Authenticator.objects.select_for_update().filter(user=user, confirmed=True).first()
        if authenticator is None or not (_takes(authenticator, code) or _is_backup_code(user, code)):
            raise WrongCode


def check_counted(user: User, code: str, address: str | None) -> None:
    """The same for whoever has only shown the password, perhaps a stolen one: a browser that a code was typed in
    counts apart, and no network does.  Raises WrongCode, TooManyAttempts."""
    person = f"code of {user.pk}"
    browser = caller.browser_of(person)
    try:
        counted = lock_out.count_attempt(counted_as(user), address, browser=browser, trusts_networks=False)
    except TooManyAttempts as refusal:
        sign_in.record_limit(refusal, user, address)
        raise
    check(user, code)
    lock_out.clear(counted)
    caller.has_signed_in(person)


def counted_as(user: User) -> str:
    """No name that anybody could type."""
    return f"\0code of {user.pk}"


@transaction.atomic
def begin(user: User) -> Authenticator:
    """One that does not count until a code of it was given; the same again when the page is opened twice."""
    User.objects.select_for_update().get(pk=user.pk)
    key = secrets.token_bytes(KEY_BYTES)
    return Authenticator.objects.get_or_create(user=user, confirmed=False, defaults={"key": key})[0]


def secret(authenticator: Authenticator) -> str:
    """For whoever cannot scan: in groups of four, as authenticators show it."""
    text = _base32(authenticator)
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def address(authenticator: Authenticator) -> str:
    """What authenticators scan."""
    named = quote(f"{ISSUER}:{authenticator.user.user_id}")
    values = {"secret": _base32(authenticator), "issuer": ISSUER, "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{named}?{urlencode(values)}"


@transaction.atomic
def confirm(user: User, code: str) -> list[str]:
    """Switch it on with its first code; the backup codes, which are shown once.  Raises WrongCode."""
    authenticator = Authenticator.objects.select_for_update().filter(user=user, confirmed=False).first()
    if authenticator is None or not _takes(authenticator, code.replace(" ", "")[:LONGEST_CODE]):
        raise WrongCode
    Authenticator.objects.filter(user=user, confirmed=True).delete()
    authenticator.confirmed = True
    authenticator.save(update_fields=["confirmed"])
    _record("second_factor.on", user)
    return _new_codes(user)


@transaction.atomic
def new_codes(user: User) -> list[str]:
    """In the place of those before."""
    _record("second_factor.codes", user)
    return _new_codes(user)


@transaction.atomic
def switch_off(user: User, *, actor: str) -> None:
    """By whose it is, or for somebody who has lost it."""
    Authenticator.objects.filter(user=user).delete()
    BackupCode.objects.filter(user=user).delete()
    audit.record("second_factor.off", actor=actor, subject_type="user", subject=user.user_id)


def _takes(authenticator: Authenticator, code: str) -> bool:
    if not (code.isascii() and code.isdecimal() and len(code) == DIGITS):
        return False
    totp = TOTP(bytes(authenticator.key), STEP_SECONDS, 0, DIGITS, authenticator.drift)
    if not totp.verify(int(code), TOLERANCE, authenticator.last_step + 1):
        return False
    authenticator.last_step, authenticator.drift = totp.t(), totp.drift
    authenticator.save(update_fields=["last_step", "drift"])
    return True


def _is_backup_code(user: User, code: str) -> bool:
    return BackupCode.objects.filter(user=user, hashed=_hashed(code)).delete()[0] == 1


def _new_codes(user: User) -> list[str]:
    BackupCode.objects.filter(user=user).delete()
    codes = ["".join(secrets.choice(LETTERS) for _letter in range(10)) for _code in range(CODES)]
    BackupCode.objects.bulk_create(BackupCode(user=user, hashed=_hashed(code)) for code in codes)
    return codes


def _hashed(code: str) -> str:
    """Keyed, and of 49 bits by chance: nobody finds them out from the table."""
    return salted_hmac("users.backup_code", code, algorithm="sha256").hexdigest()


def _base32(authenticator: Authenticator) -> str:
    return b32encode(bytes(authenticator.key)).decode().rstrip("=")


def _record(action: str, user: User) -> None:
    audit.record(action, actor=user.user_id, subject_type="user", subject=user.user_id)
