"""May this person enroll this device?  One evaluator for the sign-in, the profile, and `doctor`.

The checks run in the order of the portal's specification; the first that fails is the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devices.models import Device, Enrollment, os_version_number
from enrollment import reasons
from enrollment.reasons import Reason
from epmm import options, settings_store
from users.models import Role, User

PLATFORM_OF: Final = {
    "iPhone": Device.Platform.IOS,
    "iPad": Device.Platform.IOS,
    "Mac": Device.Platform.MACOS,
    "RealityDevice": Device.Platform.VISIONOS,
}
FEATURE: Final = {Enrollment.Kind.ADDE: options.ADDE, Enrollment.Kind.AAUE: options.AAUE}
ROLE: Final = {Enrollment.Kind.ADDE: Role.ADDE, Enrollment.Kind.AAUE: Role.AAUE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the device so far; hints from the device itself, so good for refusing, not for trusting."""

    kind: Enrollment.Kind
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


def account_enabled(user: User, _: Facts) -> None:
    if not user.is_active:
        raise Refused(reasons.ACCOUNT_DISABLED)


def feature_on(_: User, facts: Facts) -> None:
    if not settings_store.read(FEATURE[facts.kind]):
        raise Refused(reasons.FEATURE_OFF)


def role_granted(user: User, facts: Facts) -> None:
    if ROLE[facts.kind] not in user.role_keys():
        raise Refused(reasons.ROLE_MISSING)


def account_present(user: User, _: Facts) -> None:
    if not user.managed_apple_account:
        raise Refused(reasons.ACCOUNT_MISSING)


def account_in_domain(user: User, _: Facts) -> None:
    domain = (user.managed_apple_account or "").rpartition("@")[2]
    if domain not in options.enrollment_domains():
        raise Refused(reasons.FOREIGN_ACCOUNT)


def within_device_limit(user: User, facts: Facts) -> None:
    """A device that the person enrolls again does not count against itself.

    Before its Authenticate a device need not have told its UDID: one of its kind may then be this very device.
    """
    limit = settings_store.read(options.DEVICE_LIMIT)
    if limit is None:
        return
    others = Device.objects.enrolled().filter(user=user)
    if facts.udid:
        others = others.exclude(udid=facts.udid)
    used = others.count()
    if not facts.udid and facts.kind == Enrollment.Kind.ADDE and others.filter(family=facts.family).exists():
        used -= 1
    if used >= limit:
        raise Refused(reasons.DEVICE_LIMIT, used=used, limit=limit)


def family_allowed(_: User, facts: Facts) -> None:
    if facts.family and facts.family not in settings_store.read(options.ALLOWED_FAMILIES):
        raise Refused(reasons.FAMILY_REFUSED)


def system_recent_enough(_: User, facts: Facts) -> None:
    minimum = wanted_system(facts)
    if minimum is not None:
        raise Refused(reasons.SYSTEM_TOO_OLD, minimum=minimum)


def wanted_system(facts: Facts) -> str | None:
    """The version that the device must have first; None when its own will do or is not known."""
    present = os_version_number(facts.os_version) if facts.os_version else None
    platform = PLATFORM_OF.get(facts.family)
    for item in settings_store.read(options.MINIMUM_OS):
        wanted_platform, _equals, minimum = item.partition("=")
        wanted = os_version_number(minimum)
        if platform == wanted_platform and present is not None and wanted is not None and present < wanted:
            return minimum
    return None


def not_another_persons(user: User, facts: Facts) -> None:
    if not facts.udid or settings_store.read(options.ALLOW_TAKEOVER):
        return
    if Device.objects.filter(udid=facts.udid, mdm_managed=True).exclude(user=user).exists():
        raise Refused(reasons.ANOTHER_PERSONS_DEVICE)


CHECKS: Final[tuple[Callable[[User, Facts], None], ...]] = (
    account_enabled,
    feature_on,
    role_granted,
    account_present,
    account_in_domain,
    within_device_limit,
    family_allowed,
    system_recent_enough,
    not_another_persons,
)


def require(user: User, facts: Facts) -> None:
    """Raise Refused with the first reason against."""
    for check in CHECKS:
        check(user, facts)


def owner_of(kind: str, said: str = "") -> Device.Owner:
    """Of a device that enrolls, perhaps as an administrator `said` before; they may say otherwise afterwards."""
    if kind == Enrollment.Kind.AAUE:
        return Device.Owner.EMPLOYEE
    return Device.Owner(said or settings_store.read(options.DEFAULT_OWNER))
