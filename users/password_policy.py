"""What a new password must be like, as the settings say; Django asks its validators wherever one is set."""

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from epmm import options, settings_store


class PasswordPolicy:
    def validate(self, password: str, user: object = None) -> None:  # noqa: ARG002 - Django's signature
        if len(password) < settings_store.read(options.PASSWORD_LENGTH) or kinds(password) < settings_store.read(
            options.PASSWORD_KINDS
        ):
            raise ValidationError(self.get_help_text())

    def get_help_text(self) -> str:
        length, wanted = settings_store.read(options.PASSWORD_LENGTH), settings_store.read(options.PASSWORD_KINDS)
        text = _("A password has at least {n} characters.").format(n=length)
        if wanted == 1:
            return text
        more = _("It holds at least {n} of these: small letters, capitals, digits, other characters.")
        return f"{text} {more.format(n=wanted)}"


def kinds(password: str) -> int:
    """How many of the four kinds of character it holds; letters without a case count as small ones."""
    return len({_kind(character) for character in password})


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Lu", "Lt"):
        return "capital"
    if category.startswith(("L", "M")):
        return "small"
    return "digit" if category == "Nd" else "other"
