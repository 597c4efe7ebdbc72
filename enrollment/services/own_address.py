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


def help_address(user: User) -> str:
    """Of the page "How to enroll this device", with the person's own address on it: for mails and QR codes.

    Whoever holds it reads this one address there, and gets no further.
    """
    token = signing.dumps(user.pk, salt=SALT)
    return f"{settings.PUBLIC_URL}{reverse('self:help')}?{urlencode({PARAMETER: token})}"


def named_by(token: str) -> User | None:
    """Whom an address of ours was made for; None when it is altered or old, or the person is gone."""
    try:
        number = signing.loads(token, salt=SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        return None
    return User.objects.enabled().filter(pk=number).first()
