"""May this person enroll this device?  One evaluator for discovery, sign-in, profile, check-in, preview and `doctor`.

The checks run in the order of the portal's specification; the first that fails is the answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from devices.models import Device, Enrollment, os_version_number
from enrollment import reasons
from enrollment.reasons import Reason
from enrollment.services import rules
from enrollment.services.rules import PLATFORM_OF, Sayings
from epmm import options, settings_store
from epmm.option_texts import FAMILIES
from users.models import Role, User
from users.services import people

__all__ = ["PLATFORM_OF", "Facts", "Refused", "examine", "offered", "require"]

FEATURE: Final = {Enrollment.Kind.ADDE: options.ADDE, Enrollment.Kind.AAUE: options.AAUE}
ROLE: Final = {Enrollment.Kind.ADDE: Role.ADDE, Enrollment.Kind.AAUE: Role.AAUE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the device so far; hints from the device itself, so good for refusing, not for trusting."""

    kind: Enrollment.Kind
    domain: str = ""  # behind the @ of what was typed
    family: str = ""
    os_version: str = ""
    udid: str = ""


class Refused(Exception):
    """The person may not enroll now."""

    def __init__(self, reason: Reason, **values: object) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.values = values

    @property
    def sentence(self) -> str:
        return self.reason.sentence(**self.values)

    @property
    def details(self) -> dict[str, object]:
        """For the trace: what a provider said, whose rule it was."""
        return {name: value for name in ("why", "rule") if (value := self.values.get(name))}


def account_enabled(user: User, _: Facts, __: Sayings) -> None:
    if not user.is_active:
        raise Refused(reasons.ACCOUNT_DISABLED)


def offered(domain: str = "", family: str = "") -> list[Enrollment.Kind]:
    """What is switched on, and what the domain leaves of it to this kind of device; without a family, to any."""
    if not settings_store.read(options.MDM_PROFILE):
        return []
    left = left_by(domain, family)
    return [kind for kind, switch in FEATURE.items() if kind in left and settings_store.read(switch)]


def left_by(domain: str, family: str = "") -> set[Enrollment.Kind]:
    """The kinds that the domain leaves to this kind of device, switched on or not; without a family, to any."""
    offers = options.domain_offers(domain)
    families = (family,) if family else FAMILIES
    return {kind for kind in Enrollment.Kind if any(f"{kind}/{each}" in offers for each in families)}


def family_met(domain: str) -> str:
    """A kind of device that the domain offers something to, for who asks it as a device does."""
    return next((family for family in FAMILIES if offered(domain, family)), FAMILIES[0])


def account_domain(user: User) -> str:
    return people.domain_of(user.managed_apple_account or "")


def feature_on(_: User, facts: Facts, __: Sayings) -> None:
    if facts.kind not in offered():
        raise Refused(reasons.FEATURE_OFF)


def role_granted(user: User, facts: Facts, _: Sayings) -> None:
    if ROLE[facts.kind] not in user.role_keys():
        raise Refused(reasons.ROLE_MISSING)


def kind_allowed(_: User, facts: Facts, said: Sayings) -> None:
    kinds = said.kinds()
    if facts.kind not in kinds.value:
        raise Refused(reasons.KIND_REFUSED, rule=kinds.origin)


def account_present(user: User, _: Facts, __: Sayings) -> None:
    if not user.managed_apple_account:
        raise Refused(reasons.ACCOUNT_MISSING)


def account_in_domain(user: User, _: Facts, __: Sayings) -> None:
    if account_domain(user) not in options.enrollment_domains():
        raise Refused(reasons.FOREIGN_ACCOUNT)


def within_device_limit(user: User, facts: Facts, said: Sayings) -> None:
    """A device that the person enrolls again does not count against itself.

    Before its Authenticate a device need not have told its UDID: one of its kind may then be this very device.
    """
    limit = said.limit()
    if limit.value is None:
        return
    others = Device.objects.enrolled().filter(user=user)
    if facts.udid:
        others = others.exclude(udid=facts.udid)
    used = others.count()
    if not facts.udid and facts.kind == Enrollment.Kind.ADDE and others.filter(family=facts.family).exists():
        used -= 1
    if used >= limit.value:
        raise Refused(reasons.DEVICE_LIMIT, used=used, limit=limit.value, rule=limit.origin)


def family_allowed(_: User, facts: Facts, said: Sayings) -> None:
    families = said.families()
    if facts.family and facts.family not in families.value:
        raise Refused(reasons.FAMILY_REFUSED, rule=families.origin)


def domain_offers(user: User, facts: Facts, _: Sayings) -> None:
    """The account's counts as well as the typed one, which no device need tell."""
    for domain in (facts.domain, account_domain(user)):
        if facts.kind not in left_by(domain):
            raise Refused(reasons.KIND_REFUSED, rule=domain)
        if facts.kind not in left_by(domain, facts.family):
            raise Refused(reasons.FAMILY_REFUSED, rule=domain)


def system_recent_enough(_: User, facts: Facts, said: Sayings) -> None:
    minimum = said.minimum(facts.family)
    if _is_older(facts.os_version, minimum.value):
        raise Refused(reasons.SYSTEM_TOO_OLD, minimum=minimum.value, rule=minimum.origin)


def wanted_system(facts: Facts) -> str | None:
    """The version that the device must have first, whoever its person may be; None when its own will do.

    Before the sign-in nobody is told what the rules of whoever the device names are.
    """
    minima = rules.all_minima(facts.family) if facts.family and facts.os_version else []
    if minima and all(_is_older(facts.os_version, minimum) for minimum in minima):
        return min(minima, key=lambda minimum: os_version_number(minimum) or 0)
    return None


def _is_older(version: str, minimum: str) -> bool:
    present, wanted = os_version_number(version or "?"), os_version_number(minimum or "?")
    return present is not None and wanted is not None and present < wanted


def not_another_persons(user: User, facts: Facts, _: Sayings) -> None:
    if not facts.udid or settings_store.read(options.ALLOW_TAKEOVER):
        return
    # whether a push reaches it is another question
    if Enrollment.objects.active().filter(device_key=facts.udid).exclude(user=user).exists():
        raise Refused(reasons.ANOTHER_PERSONS_DEVICE)


Check = Callable[[User, Facts, Sayings], None]
CHECKS: Final[tuple[Check, ...]] = (
    account_enabled,
    feature_on,
    role_granted,
    kind_allowed,
    account_present,
    account_in_domain,
    within_device_limit,
    family_allowed,
    domain_offers,
    system_recent_enough,
    not_another_persons,
)
AT_LAST: Final = (within_device_limit, not_another_persons)  # what others may have changed meanwhile


def require(user: User, facts: Facts, checks: tuple[Check, ...] = CHECKS) -> Sayings:
    """Raise Refused with the first reason against; else what the rules say of this person."""
    said = rules.of(user.pk)
    for check in checks:
        check(user, facts, said)
    return said


def examine(user: User, facts: Facts, said: Sayings) -> Iterator[tuple[Check, Refused | None]]:
    """All of them, each with what it has against the enrollment."""
    for check in CHECKS:
        try:
            check(user, facts, said)
        except Refused as refused:
            yield check, refused
        else:
            yield check, None


def owner_of(said: Sayings, kind: str, chosen: str = "") -> Device.Owner:
    """Of a device that enrolls, perhaps as somebody chose before; administrators may say otherwise afterwards."""
    if kind == Enrollment.Kind.AAUE:
        return Device.Owner.EMPLOYEE
    return Device.Owner(chosen or said.owner().value)
