"""The mail that tells somebody of an acceptance (portal specification, section 9.2)."""

import logging

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from devices.models import Device, Enrollment
from enrollment.models import Acceptance, LocalText, PolicyText
from enrollment.services import invitations, policy, rules, trace
from epmm import mail, options, settings_store
from epmm.mail import Letter, MailRefused

logger = logging.getLogger(__name__)
KIND = "consent"


def post(acceptance: Acceptance) -> None:
    """In the transaction of the acceptance, which stands whether or not mail can be sent."""
    recipient = _recipient(acceptance.policy)
    if not recipient or not mail.is_set_up():
        return
    with translation.override(settings.LANGUAGE_CODE):  # of the organization, not of the device
        letter = Letter(recipient=recipient, subject=_subject(acceptance.policy), text=_text(acceptance))
    try:
        mail.post(letter, kind=KIND)
    except MailRefused:
        logger.warning("an acceptance could not be told", extra={"acceptance": acceptance.pk})


def _recipient(text: PolicyText) -> str:
    language, _dash, country = text.language.partition("-")
    of_tag = LocalText.objects.filter(kind=text.kind, language=language, country=country)
    local = of_tag.filter(content=text.text).first()  # terms of several names may have the language
    own = local.notice_email if local is not None else ""
    return own or settings_store.read(options.CONSENT_NOTICE)


def _subject(text: PolicyText) -> str:
    return _("Privacy page accepted") if text.kind == PolicyText.Kind.PRIVACY else _("Terms of service accepted")


def _text(acceptance: Acceptance) -> str:
    user, text, attempt = acceptance.user, acceptance.policy, acceptance.attempt
    family, kind = (attempt.model_family, attempt.kind) if attempt is not None else ("", "")
    chosen = invitations.owner_for(user, kind) or trace.owner_of(attempt)
    owner = policy.owner_of(rules.of(user.pk), kind or Enrollment.Kind.ADDE, chosen)
    version = _("version")
    facts = (
        (_("User name"), user.user_id),
        (_("Display name"), user.display_name),
        (_("Email"), user.email),
        (_("Date and time"), timezone.localtime(acceptance.accepted_at).isoformat(sep=" ", timespec="seconds")),
        (_("IP address"), acceptance.address or ""),
        (_("Platform"), policy.PLATFORM_OF.get(family, family)),
        (_("Employee-owned"), "" if not kind else "true" if owner == Device.Owner.EMPLOYEE else "false"),
        (_("Text"), f"{_subject(text)}, {text.language}, {version} {text.version}"),
    )
    return "\n".join(f"{name}: {value}" for name, value in facts) + "\n"
