"""Privacy page and terms: what is configured, as versions, and who accepted which."""

import hashlib
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from devices.models import Enrollment
from enrollment.models import Acceptance, Attempt, PolicyText
from epmm import options, settings_store
from epmm.settings_store import Setting
from users.models import User

# Privacy comes first.
CONFIGURED: Final[tuple[tuple[PolicyText.Kind, Setting[str]], ...]] = (
    (PolicyText.Kind.PRIVACY, options.PRIVACY_PAGE),
    (PolicyText.Kind.TERMS, options.TERMS),
)


def due(kind: Enrollment.Kind) -> list[PolicyText]:
    """The texts a person has to accept now, in order, in the language of the request."""
    texts = []
    for policy, setting in CONFIGURED:
        value = settings_store.read(setting)
        if mode_of(value) != "off":
            texts.append(_version(policy, _text(policy, value, kind)))
    return texts


def mode_of(value: str) -> str:
    """`off`, `on` for the built-in text, or `own`."""
    if is_word(value):
        return "on" if value.lower() == "on" else "off"
    return "own"


def is_word(value: str) -> bool:
    """Something that a setting means, and nothing that a person could read."""
    return value.lower() in {"", "off", "none", "on"}


def preview(policy: PolicyText.Kind, value: str) -> list[tuple[str, str]]:
    """What people would read, by the kind of enrollment where it differs; nothing when it is off."""
    if mode_of(value) == "off":
        return []
    if mode_of(value) == "own" or policy == PolicyText.Kind.TERMS:
        return [("", _text(policy, value, Enrollment.Kind.ADDE))]
    return [(str(kind).upper(), _text(policy, value, kind)) for kind in Enrollment.Kind]


def versions(policy: PolicyText.Kind) -> QuerySet[PolicyText]:
    """Those that people have seen, the newest first, each with the number of those who accepted it."""
    accepted = Acceptance.objects.filter(policy=OuterRef("pk")).order_by().values("policy").annotate(n=Count("*"))
    # counted for those that are shown alone
    seen = PolicyText.objects.filter(kind=policy).annotate(accepted=Coalesce(Subquery(accepted.values("n")), 0))
    return seen.order_by("-pk")


def _text(policy: PolicyText.Kind, value: str, kind: Enrollment.Kind) -> str:
    return _built_in(policy, kind) if mode_of(value) == "on" else value


def accept(user: User, policy: PolicyText, *, attempt: Attempt | None, address: str | None) -> None:
    """Record it; a repeat after a lost answer is the same acceptance."""
    if attempt is None:
        Acceptance.objects.create(user=user, policy=policy, address=address)
    else:
        Acceptance.objects.get_or_create(user=user, policy=policy, attempt=attempt, defaults={"address": address})


def _version(policy: PolicyText.Kind, text: str) -> PolicyText:
    """The stored version of exactly this text; a new text gets the next number."""
    language = get_language() or "en"
    known = PolicyText.objects.filter(kind=policy, language=language)
    key = {"kind": policy, "language": language, "text_sha256": hashlib.sha256(text.encode()).hexdigest()}
    if row := known.filter(text_sha256=key["text_sha256"]).first():
        return row
    newest: int = known.aggregate(newest=Max("version"))["newest"] or 0
    try:
        with transaction.atomic():
            return PolicyText.objects.create(**key, version=newest + 1, text=text)
    except IntegrityError:  # two people met the new text at the same moment
        return PolicyText.objects.get(**key)


def _built_in(policy: PolicyText.Kind, kind: Enrollment.Kind) -> str:
    if policy == PolicyText.Kind.TERMS:
        return _("You use this device for work under the rules of your organization.")
    if kind == Enrollment.Kind.AAUE:
        return _(
            "Your organization can see and manage only what it puts on this device: work accounts, work apps and"
            " their settings. It cannot see your personal apps, messages, photos, serial number or location, and it"
            " cannot erase the device.\n\n"
            "Signing out of the work account removes the management and all work data from the device."
        )
    return _(
        "Your organization can see the serial number, the model, the system version, the security state and the list"
        " of apps of this device. It can install and remove settings and work apps, lock the device, remove its"
        " passcode and erase it.\n\n"
        "Device management shows it neither your messages nor your photos, your browsing or what is in your personal"
        " apps.\n\n"
        "Signing out of the work account removes the management and all work data from the device."
    )
