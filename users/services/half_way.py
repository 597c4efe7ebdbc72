"""Whoever gave the right password and owes something else: nobody is signed in meanwhile, and not for long."""

from typing import Final

from django.http import HttpRequest

from users.models import User

PERSON: Final = "pending_user"
MUST_CHANGE: Final = "must_change_password"
SECONDS: Final = 600


def wait(request: HttpRequest, user: User, *, must_change: bool = False) -> None:
    """For a code, or for another password."""
    request.session.flush()
    request.session.update({PERSON: user.pk, MUST_CHANGE: must_change})
    request.session.set_expiry(SECONDS)


def person(request: HttpRequest, *, must_change: bool) -> User | None:
    if bool(request.session.get(MUST_CHANGE)) is not must_change:
        return None
    return enabled(request.session.get(PERSON))


def enabled(number: int | None) -> User | None:
    return User.objects.enabled().filter(pk=number).first() if number else None
