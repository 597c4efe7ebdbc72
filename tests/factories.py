"""Rows with sensible defaults.  A test names only what its story is about."""

from datetime import timedelta
from itertools import count
from typing import Any, Final

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from users.models import RegistrationPin, Role, User

_numbers: Final = count(1)
PASSWORD: Final = "correct horse battery"
DIGITS: Final = "482916"


def user(
    user_id: str = "", *, password: str | None = PASSWORD, roles: tuple[str, ...] = (Role.PORTAL,), **columns: Any
) -> User:
    row = User(user_id=user_id or f"person{next(_numbers)}", **columns)
    row.set_password(password)
    row.save()
    for key in roles:
        row.role_grants.create(key=key, granted_by="tests")
    return row


def pin(person: User, digits: str = DIGITS, *, valid_for: timedelta = timedelta(hours=4)) -> RegistrationPin:
    """The person's standing PIN."""
    return person.registration_pins.create(hashed=make_password(digits), expires_at=timezone.now() + valid_for)
