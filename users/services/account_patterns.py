"""Managed Apple Accounts from a pattern, such as `{user_id}@{domain}`."""

import re
from collections.abc import Callable
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from epmm import options
from users.errors import InvalidAccount
from users.models import AccountSource, User
from users.services import accounts

LONGEST_PATTERN: Final = 320
DEFAULT_PATTERN: Final = "{user_id}@{domain}"
PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
VALUES: Final[dict[str, Callable[[User], str]]] = {
    # some user IDs are addresses: what stands before the @ is the name
    "user_id": lambda user: user.user_id.partition("@")[0],
    "email_name": lambda user: user.email.partition("@")[0],
    "first_name": lambda user: user.first_name,
    "last_name": lambda user: user.last_name,
    "domain": lambda _user: options.enrollment_domains()[0],
}


def filled(pattern: str, user: User) -> str:
    """The pattern with this person's values; only the names that are listed here stand for something."""

    def value(found: re.Match[str]) -> str:
        read = VALUES.get(found[1])
        if read is None:
            known = ", ".join(f"{{{name}}}" for name in VALUES)
            raise InvalidAccount(_("{unknown} stands for nothing. Use {known}.").format(unknown=found[0], known=known))
        if not (text := read(user)):
            raise InvalidAccount(_("This person has nothing to put in the place of {name}.").format(name=found[0]))
        return text

    return PLACEHOLDER.sub(value, pattern[:LONGEST_PATTERN])


def checked(pattern: str, source: str | None) -> str:
    """For a form: whether it makes an account of somebody of whom all is known.  Raises ValidationError."""
    pattern = pattern.strip()
    if source != AccountSource.PATTERN and not pattern:
        return ""
    if not pattern:
        raise ValidationError(_("Enter a pattern, for example {pattern}.").format(pattern=DEFAULT_PATTERN))
    try:
        accounts.normalized(filled(pattern, User(user_id="a", first_name="a", last_name="a", email="a@example.com")))
    except InvalidAccount as error:
        raise ValidationError(str(error)) from error
    return pattern
