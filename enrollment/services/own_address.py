"""What a person types on the device, and the address of the page that tells them."""

from typing import Final
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.urls import reverse

from epmm import options
from users.models import User

SALT: Final = "enrollment.own-address"
VALID_SECONDS: Final = 30 * 86_400
PARAMETER: Final = "for"


def of(user: User) -> str:
    """The Managed Apple Account; without one, the user ID in a domain of ours, by which the person is found, too."""
    if user.managed_apple_account:
        return user.managed_apple_account
    local = user.user_id.partition("@")[0].lower()
    return f"{local}@{options.enrollment_domains()[0]}"


def example() -> str:
    return f"name@{options.enrollment_domains()[0]}"


def help_path(user: User | None) -> str:
    """Of the page "How to enroll a device"; with a person, their own address stands on it.

    Whoever holds it reads this one address there, and gets no further.
    """
    path = reverse("self:help")
    return path if user is None else f"{path}?{urlencode({PARAMETER: signing.dumps(user.pk, salt=SALT)})}"


def help_address(user: User | None) -> str:
    """For mails and QR codes."""
    return f"{settings.PUBLIC_URL}{help_path(user)}"


def named_by(token: str) -> User | None:
    """Whom an address of ours was made for; None when it is altered or old, or the person is gone."""
    try:
        number = signing.loads(token, salt=SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        return None
    return User.objects.enabled().filter(pk=number).first()
