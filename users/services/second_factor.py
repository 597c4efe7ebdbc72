"""An administrator's second factor: an authenticator, and backup codes for the day it is lost."""

import secrets
from base64 import b32encode
from typing import Final

from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from epmm import audit
from users.errors import WrongCode
from users.models import User

CODES: Final = 10
LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
NAME: Final = "authenticator"


def is_on(user: User) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def codes_left(user: User) -> int:
    return sum(device.token_set.count() for device in StaticDevice.objects.filter(user=user))


@transaction.atomic
def begin(user: User) -> TOTPDevice:
    """One that does not count until a code of it was given; the same again when the page is opened twice."""
    User.objects.select_for_update().get(pk=user.pk)
    device, _is_new = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": NAME})
    return device


def secret(device: TOTPDevice) -> str:
    """For whoever cannot scan: in groups of four, as authenticators show it."""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


@transaction.atomic
def confirm(user: User, code: str) -> list[str]:
    """Switch it on with its first code; the backup codes, which are shown once.  Raises WrongCode."""
    device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
    if device is None or not device.verify_token(code.replace(" ", "")[:16]):
        raise WrongCode
    TOTPDevice.objects.filter(user=user, confirmed=True).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
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
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    audit.record("second_factor.off", actor=actor, subject_type="user", subject=user.user_id)


def _new_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="backup codes")
    codes = ["".join(secrets.choice(LETTERS) for _letter in range(10)) for _code in range(CODES)]
    for code in codes:
        device.token_set.create(token=code)
    return codes


def _record(action: str, user: User) -> None:
    audit.record(action, actor=user.user_id, subject_type="user", subject=user.user_id)
