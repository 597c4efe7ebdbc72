"""The mail to whoever has signed in on a device that was not enrolled after all (portal specification, section 9.4)."""

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from devices.models import Device
from enrollment.models import Attempt, Step
from enrollment.services import invitation_texts, own_address, trace
from enrollment.services.invitation_texts import Written
from epmm import mail, options, settings_store
from epmm.mail import Letter, MailRefused
from users.models import User

logger = logging.getLogger(__name__)
KIND = "profile"


def post_due(now: datetime) -> None:
    """Of each attempt once, for it closes with it; the others are left to `trace.tidy`."""
    if not settings_store.read(options.PROFILE_NOTICE) or not mail.is_set_up():
        return
    unfinished = trace.silent(now).filter(state__in=[Attempt.State.OPEN, Attempt.State.WAITING_FOR_APPLE])
    signed_in = unfinished.filter(steps__step=Step.TOKEN, user__is_active=True).exclude(user__email="")
    for key in list(signed_in.values_list("pk", flat=True).distinct()):
        with transaction.atomic():
            attempt = trace.silent(now).select_for_update().filter(pk=key).first()
            if attempt is not None and attempt.user is not None:
                _close(attempt, attempt.user)


def _close(attempt: Attempt, user: User) -> None:
    later = Attempt.objects.filter(user=user, opened_at__gt=attempt.opened_at).exclude(state=Attempt.State.FAILED)
    if not later.exists():  # with that one they have gone on, or it has a mail of its own
        try:
            mail.post(_letter(user, _language(attempt)), kind=KIND)
            trace.step(attempt, Step.NOTICE, result=trace.NOTED)
        except MailRefused:
            logger.warning("nobody could be told of an unfinished enrollment", extra={"attempt": attempt.pk})
    trace.move(attempt, Attempt.State.ABANDONED)


def _letter(user: User, language: str) -> Letter:
    help_address = own_address.help_address(user)
    with translation.override(language):
        known = invitation_texts.values(user, help_address)
        filled = invitation_texts.fill(Written(_("Your device is not enrolled yet"), _text()), known)
        return invitation_texts.letter(user, filled, help_address, language)


def _text() -> str:
    opening = _(
        "Hello {display_name},\n\nyou have signed in with {enterprise} to enroll a device, but its management profile"
        " is not installed. Nothing has changed on the device. Please begin again:"
    )
    stranger = _("If it was not you who signed in, change your password and tell your administrator.")
    return f"{opening}\n\n{invitation_texts.steps()}\n\n{stranger}"


def _language(attempt: Attempt) -> str:
    """That of the device, where there are texts in it."""
    waiting = Device.objects.filter(access_tokens__attempt=attempt).values_list("language", flat=True)
    try:
        return translation.get_supported_language_variant(waiting.first() or settings.LANGUAGE_CODE)
    except LookupError:
        return settings.LANGUAGE_CODE
