"""What an invitation says: built-in or written by an administrator, in a language, with named places for each person.

Nothing in a text is evaluated: a name between braces that is listed here is replaced, once; all else stays as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Final

import segno
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format, get_format
from django.utils.functional import Promise
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import InvitationTemplate
from enrollment.services import own_address
from epmm import mail, markup, options, settings_store
from epmm.mail import Letter, MailRefused, Picture
from epmm.markup import MarkupRefused
from epmm.numbers import grouped
from users.models import User

LONGEST: Final = 10_000
PLACES: Final[Mapping[str, str | Promise]] = {
    "display_name": gettext_lazy("the person's name"),
    "first_name": gettext_lazy("the first name, or the name where there is none"),
    "user_id": gettext_lazy("the user ID"),
    "address_to_type": gettext_lazy("what to type on the device"),
    "enterprise": gettext_lazy("the name of your organization"),
    "help_url": gettext_lazy("the page with all steps, for this person; the QR code leads there, too"),
    "portal_url": gettext_lazy("the user portal"),
    "pin": gettext_lazy("a registration PIN of this person"),
    "pin_expires": gettext_lazy("until when the PIN can be used"),
}
TARGETS: Final = ("{help_url}", "{portal_url}")  # of a link, besides what may always be one
PIN: Final = "{pin}"
HIDDEN: Final = "••••••"
CODE: Final = "code"  # the picture's name in the message
_PLACE: Final = re.compile(r"\{([A-Za-z_]{1,40})\}")
KINDS = InvitationTemplate.Kind


class TextRefused(Exception):
    """The argument is a sentence for the administrator."""


@dataclass(frozen=True, slots=True)
class Written:
    subject: str
    text: str

    @property
    def asks_for_pin(self) -> bool:
        return PIN in self.text


@dataclass(frozen=True, slots=True)
class Filled:
    subject: str
    text: str = field(repr=False)
    html: SafeString = field(repr=False)


def checked(written: Written) -> Written:
    """As it is stored.  Raises TextRefused."""
    try:
        subject, text = mail.subject(written.subject), markup.clean(written.text, TARGETS)
    except (MailRefused, MarkupRefused) as error:
        raise TextRefused(str(error)) from error
    if not 0 < len(text) <= LONGEST:
        raise TextRefused(_("A text has 1 to {n} characters.").format(n=grouped(LONGEST)))
    if unknown := sorted(set(_PLACE.findall(subject + text)) - PLACES.keys()):
        raise TextRefused(_("There is no {name}. These are replaced: {names}.").format(
            name=f"{{{unknown[0]}}}", names=", ".join(f"{{{name}}}" for name in PLACES)
        ))  # fmt: skip
    if PIN in subject:
        raise TextRefused(_("A subject is read by many: no PIN belongs there."))
    return Written(subject, text)


def template(kind: str, language: str, *, has_pin: bool = False) -> Written:
    """What an administrator wrote for this language, else the built-in text."""
    row = InvitationTemplate.objects.filter(kind=kind, language=language).first()
    return Written(row.subject, row.text) if row is not None else built_in(kind, language, has_pin=has_pin)


def without_pin(language: str) -> Written:
    """The invitation where nobody has chosen to mail PINs; what an administrator wrote may be for those alone."""
    written = template(KINDS.INVITATION, language)
    return built_in(KINDS.INVITATION, language, has_pin=False) if written.asks_for_pin else written


def built_in(kind: str, language: str, *, has_pin: bool) -> Written:
    with translation.override(language):
        pin = [_("When you are asked for a registration PIN, type **{pin}**. It serves once, until {pin_expires}.")]
        parts = [_opening(kind), steps(), *(pin if has_pin else []), _good_to_know()]
        subject = _("Enroll your device with {enterprise}")
        if kind == KINDS.REMINDER:
            subject = _("Reminder: enroll your device with {enterprise}")
        return Written(subject, "\n\n".join(parts))


def _opening(kind: str) -> str:
    if kind == KINDS.REMINDER:
        return _(
            "Hello {display_name},\n\n{enterprise} is still waiting for your device. Enrolling it takes two minutes."
        )
    return _(
        "Hello {display_name},\n\nplease enroll the device that you work with, so that {enterprise} can set it up for"
        " you. It takes two minutes."
    )


def steps() -> str:
    return _(
        "# iPhone, iPad and Apple Vision Pro\n"
        "1. Open **Settings** and there **General**, **VPN & Device Management**.\n"
        "2. Choose **Sign In to Work or School Account**.\n"
        "3. Type **{address_to_type}** and continue.\n"
        "4. Sign in, read what your organization can see and do, and choose **Allow Remote Management**.\n\n"
        "# Mac\n"
        "1. Open **System Settings** and there **General**, **Device Management**.\n"
        "2. Choose **Sign In to Work or School Account** and type **{address_to_type}**. If you are offered **Open"
        " Browser**, choose it.\n"
        "3. Sign in, allow the management, and type the password of your Mac.\n\n"
        "[All steps for your device]({help_url})"
    )


def _good_to_know() -> str:
    return _(
        "## Good to know\n"
        "- Save the data of your work apps before you sign out of the work account: signing out removes the management"
        " and all work data.\n"
        "- If enrolling once more does not succeed, restart the device and try again.\n"
        "- You see your devices and what can be done with them in the [user portal]({portal_url})."
    )


def values(user: User, help_address: str, *, pin: str = HIDDEN) -> dict[str, str]:
    """In the language that is active."""
    until = timezone.now() + timedelta(hours=settings_store.read(options.PIN_EXPIRY_HOURS))
    return {
        "display_name": user.display_name,
        "first_name": user.first_name or user.display_name,
        "user_id": user.user_id,
        "address_to_type": own_address.of(user),
        "enterprise": settings_store.read(options.ENTERPRISE_NAME),
        "help_url": help_address,
        "portal_url": f"{settings.PUBLIC_URL}/",
        "pin": pin,
        "pin_expires": date_format(timezone.localtime(until), f"{get_format('SHORT_DATETIME_FORMAT')} T"),
    }


def fill(written: Written, known: Mapping[str, str]) -> Filled:
    """Formatted first, then filled: what a person is called is text, whatever stands in it."""
    return Filled(
        _replaced(written.subject, known),
        _replaced(markup.plain(written.text, TARGETS), known),
        mark_safe(_replaced(markup.html(written.text, TARGETS), {name: escape(text) for name, text in known.items()})),  # noqa: S308
    )


def letter(user: User, filled: Filled, help_address: str, language: str) -> Letter:
    code = CODE if settings_store.read(options.QR_CODE) else ""
    html = render_to_string(
        "mail/letter.html",
        {"subject": filled.subject, "content": filled.html, "code": code, "help_address": help_address,
         "language": language, "is_from_right": language in settings.LANGUAGES_BIDI},
    )  # fmt: skip
    return Letter(
        recipient=user.email,
        recipient_name=user.display_name,
        subject=filled.subject[: mail.LONGEST_SUBJECT],
        text=f"{filled.text}\n",
        html=html,
        pictures=[Picture(name=CODE, kind="png", content=_code(help_address))] if code else [],
        language=language,
    )


def _replaced(text: str, known: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: known.get(place[1], place[0]), text)


def _code(address: str) -> bytes:
    """PNG, since many a mail program shows no SVG."""
    out = BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="png", scale=5, border=4)
    return out.getvalue()
