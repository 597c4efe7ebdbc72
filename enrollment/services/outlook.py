"""What happens when this person enrolls a device now?  Asked of the same services that an enrollment asks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Enrollment
from enrollment import reasons
from enrollment.models import Rule
from enrollment.services import consent, discovery, policy, rules
from enrollment.services.policy import Facts, Refused
from enrollment.services.rules import Said, Sayings, T
from epmm import options, settings_store
from epmm.option_texts import FAMILIES
from users.errors import AccountDisabled, PasswordMustChange
from users.models import User
from users.services import sign_in as credentials

KINDS: Final[Mapping[str, str | Promise]] = dict(Device.EnrollmentType.choices)
FAMILY_NAMES: Final[Mapping[str, str]] = {"RealityDevice": "Apple Vision Pro"}
FAMILY_CHOICES: Final = [(family, FAMILY_NAMES.get(family, family)) for family in FAMILIES]
LABELS: Final[Mapping[policy.Check, str | Promise]] = {
    policy.account_enabled: gettext_lazy("The person is enabled"),
    policy.feature_on: gettext_lazy("This kind of enrollment is switched on"),
    policy.role_granted: gettext_lazy("The person has the role for it"),
    policy.kind_allowed: gettext_lazy("The rules allow this kind of enrollment"),
    policy.account_present: gettext_lazy("The person has a Managed Apple Account"),
    policy.account_in_domain: gettext_lazy("The Managed Apple Account is in an enrollment domain"),
    policy.within_device_limit: gettext_lazy("The device limit leaves room"),
    policy.family_allowed: gettext_lazy("This kind of device is allowed"),
    policy.domain_offers: gettext_lazy("The enrollment domain offers it to this kind of device"),
    policy.system_recent_enough: gettext_lazy("The system is recent enough"),
    policy.not_another_persons: gettext_lazy("The device is not another person's"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One subject: what counts, who says so, and whose word does not count beside it."""

    subject: str
    value: str
    origin: str
    rule: Rule | None
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    kind: Enrollment.Kind | None  # None: the device is turned away before it is led anywhere
    refusal: Refused | None  # the one that the enrollment would end with
    checks: tuple[tuple[str, Refused | None], ...]
    spoken: tuple[Spoken, ...]

    @property
    def kind_label(self) -> str:
        return str(KINDS.get(self.kind or "", ""))


def look(user: User, *, family: str, os_version: str = "", udid: str = "") -> Outlook:
    said = rules.of(user.pk)
    try:
        kind = discovery.kind_of(user, family)
    except Refused as refused:
        return Outlook(kind=None, refusal=refused, checks=(), spoken=tuple(spoken(said, family)))
    facts = Facts(kind=kind, family=family, os_version=os_version, udid=udid)
    checks = [(_("The person can sign in"), standing(user))]
    checks += [(str(LABELS[check]), refused) for check, refused in policy.examine(user, facts, said)]
    refusal = next((refused for _label, refused in checks if refused is not None), None)
    return Outlook(kind=kind, refusal=refusal, checks=tuple(checks), spoken=tuple(spoken(said, family, kind)))


def standing(user: User) -> Refused | None:
    """What keeps somebody with the right password or PIN from signing in."""
    if settings_store.read(options.REQUIREMENT) == "identity_provider":
        return None
    try:
        credentials.check_standing(user)
    except AccountDisabled:
        return Refused(reasons.ACCOUNT_DISABLED)
    except PasswordMustChange:
        return Refused(reasons.PASSWORD_MUST_CHANGE)
    return None


def spoken(said: Sayings, family: str = "", kind: Enrollment.Kind | None = None) -> Iterator[Spoken]:
    """In the order of the checks, the owner and the terms last."""
    yield _spoken(_("Kinds of enrollment"), said.kinds(), kinds_text)
    yield _spoken(_("Device limit"), said.limit(), limit_text)
    yield _spoken(_("Kinds of device"), said.families(), families_text)
    if family:
        yield _spoken(_("Oldest allowed system"), said.minimum(family), lambda text: text or _("any"))
    if kind != Enrollment.Kind.AAUE:  # the employee's, whatever rules say
        yield _spoken(_("Owner"), said.owner(), lambda owner: str(Device.Owner(owner).label))
    terms = said.terms()
    yield _spoken(_("Terms"), terms, lambda value: terms_text(terms.rule) if terms.rule else _settings_text(value))


def _spoken(subject: str, said: Said[T], text: Callable[[T], str]) -> Spoken:
    return Spoken(
        subject=subject,
        value=text(said.value),
        origin=said.origin,
        rule=said.rule,
        others=tuple(map(str, said.others)),
    )


def kinds_text(kinds: tuple[str, ...]) -> str:
    return ", ".join(str(KINDS[kind]) for kind in kinds if kind in KINDS)


def families_text(families: Sequence[str]) -> str:
    return ", ".join(FAMILY_NAMES.get(family, family) for family in families)


def limit_text(limit: int | None) -> str:
    return _("none") if limit is None else str(limit)


def terms_text(rule: Rule) -> str:
    return rule.terms_name or (_("own text") if rule.terms else "")


def _settings_text(text: str) -> str:
    mode = consent.mode_of(text)
    return _("none") if mode == "off" else _("built-in text") if mode == "on" else _("own text")
