"""Privacy page and terms: what is configured, as versions, and who accepted which."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max, OuterRef, QuerySet
from django.utils import timezone, translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from devices.models import Device, Enrollment
from enrollment.models import Acceptance, Attempt, LocalText, PolicyText, Rule
from enrollment.services import consent_notice, local_texts, rules
from epmm import options, settings_store
from epmm.portal.counting import CountedTo
from epmm.settings_store import Setting
from users.models import User

# Privacy comes first.
CONFIGURED: Final[tuple[tuple[PolicyText.Kind, Setting[str]], ...]] = (
    (PolicyText.Kind.PRIVACY, options.PRIVACY_PAGE),
    (PolicyText.Kind.TERMS, options.TERMS),
)


def due(kind: Enrollment.Kind, languages: Sequence[str] = (), user: int = 0) -> list[PolicyText]:
    """The texts a person has to accept now, in order, each in the first of these languages that it is written in.

    Without one, it is the text for all others; without that, one in the language of the pages, or the built-in text.
    Terms that a rule has for this person are found likewise, and take the place of all of these.
    """
    return [_kept(text) for text in _shown(kind, languages, user)]


def _shown(kind: Enrollment.Kind, languages: Sequence[str], user: int) -> list[PolicyText]:
    """What they would read; a text that nobody has seen yet is no row."""
    texts = []
    theirs = rules.of(user).terms() if user else None
    for policy, setting in CONFIGURED:
        if policy == PolicyText.Kind.TERMS and theirs is not None and theirs.rule is not None:
            texts.append(_of_rule(policy, theirs.rule, languages))
            continue
        value = settings_store.read(setting)
        if mode_of(value) != "off":
            others = [] if mode_of(value) == "own" else [_here(), settings.LANGUAGE_CODE]
            local = best(policy, [*languages, *others])
            texts.append(_either(policy, local, _text(policy, value, kind)))
    return texts


def _of_rule(policy: PolicyText.Kind, rule: Rule, languages: Sequence[str]) -> PolicyText:
    if not rule.terms_name:
        return _either(policy, None, rule.terms)
    others = [] if rule.terms else [_here(), settings.LANGUAGE_CODE, *local_texts.languages_of(rule.terms_name)]
    return _either(policy, best(policy, [*languages, *others], rule.terms_name), rule.terms)


def _either(policy: PolicyText.Kind, local: LocalText | None, otherwise: str) -> PolicyText:
    return _worded(policy, local.tag, local.content) if local else _worded(policy, _here(), otherwise)


def _here() -> str:
    return get_language() or settings.LANGUAGE_CODE


def is_asked(user: int = 0) -> bool:
    """Whether there is anything to accept before an enrollment, as far as that is known of somebody."""
    general = any(mode_of(settings_store.read(setting)) != "off" for _policy, setting in CONFIGURED)
    return general or (bool(user) and rules.of(user).terms().rule is not None)


def best(policy: PolicyText.Kind, languages: Sequence[str], name: str = "") -> LocalText | None:
    """`de-AT` wants the text for Austria, else the German one, else a German one for another country."""
    asked = {tag.partition("-")[0] for tag in languages}
    fitting = LocalText.objects.filter(kind=policy, name=name, language__in=asked)
    written = list(fitting.order_by("language", "country"))
    by_tag = {text.tag: text for text in written}
    for tag in languages:
        language, _dash, country = tag.partition("-")
        if found := by_tag.get(tag) or by_tag.get(language):
            return found
        if not country and (near := next((text for text in written if text.language == language), None)):
            return near
    return None


def outstanding(user: User, kind: Enrollment.Kind, languages: Sequence[str] = ()) -> list[PolicyText]:
    """What has changed since this person accepted it, where the settings ask again at a sign-in.

    Who has accepted in another language what still holds there is not asked.
    """
    if not settings_store.read(options.ACCEPT_AGAIN):
        return []
    texts = []
    for now in _shown(kind, languages, user.pk):
        accepted = user.acceptances.filter(policy__kind=now.kind).select_related("policy").order_by("-pk").first()
        if (
            accepted is not None
            and not _is_same(accepted.policy, now)
            and not _still_holds(accepted.policy, kind, user.pk)
        ):
            texts.append(_kept(now))
    return texts


def _still_holds(text: PolicyText, kind: Enrollment.Kind, user: int) -> bool:
    with translation.override(text.language):
        return any(_is_same(text, now) for now in _shown(kind, [text.language], user))


def _is_same(one: PolicyText, other: PolicyText) -> bool:
    return (one.kind, one.language, one.text_sha256) == (other.kind, other.language, other.text_sha256)


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
    """Those that people have seen, the newest first, each with the number of those who accepted it (`CountedTo`)."""
    seen = PolicyText.objects.filter(kind=policy)
    seen = seen.annotate(accepted=CountedTo(Acceptance.objects.filter(policy=OuterRef("pk"))))
    return seen.order_by("-pk")


def _text(policy: PolicyText.Kind, value: str, kind: Enrollment.Kind) -> str:
    return _built_in(policy, kind) if mode_of(value) == "on" else value


def accept(user: User, policy: PolicyText, *, attempt: Attempt | None, address: str | None) -> None:
    """Record it; a repeat after a lost answer is the same acceptance, and told once."""
    with transaction.atomic():
        if attempt is None:
            row, is_new = Acceptance.objects.create(user=user, policy=policy, address=address), True
        else:
            row, is_new = Acceptance.objects.get_or_create(
                user=user, policy=policy, attempt=attempt, defaults={"address": address}
            )
        if is_new:
            consent_notice.post(row)


def accept_change(user: User, policy: PolicyText, *, address: str | None) -> None:
    """Where it is asked for once more: of the terms, for what the person has enrolled already."""
    with transaction.atomic():
        accept(user, policy, attempt=None, address=address)
        if policy.kind == PolicyText.Kind.TERMS:
            now = timezone.now()
            devices = Device.objects.enrolled().filter(user=user)
            list(devices.select_for_update().order_by("pk").values_list("pk"))  # the order of whoever locks several
            devices.update(terms_accepted_at=now, modified_at=now)


def terms_accepted_at(attempt: Attempt | None) -> datetime | None:
    """To enroll the device of this attempt; None: they were not asked."""
    if attempt is None:
        return None
    terms = attempt.acceptances.filter(policy__kind=PolicyText.Kind.TERMS)
    return terms.order_by("-pk").values_list("accepted_at", flat=True).first()


def _worded(policy: PolicyText.Kind, language: str, text: str) -> PolicyText:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return PolicyText(kind=policy, language=language, text=text, text_sha256=sha256)


def _kept(new: PolicyText) -> PolicyText:
    """The stored version of exactly this text; a new text gets the next number."""
    known = PolicyText.objects.filter(kind=new.kind, language=new.language)
    same = known.filter(text_sha256=new.text_sha256)
    if row := same.first():
        return row
    new.version = (known.aggregate(newest=Max("version"))["newest"] or 0) + 1
    try:
        with transaction.atomic():
            new.save(force_insert=True)
    except IntegrityError:  # two people met the new text at the same moment
        return same.get()
    return new


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
