"""From an empty installation to its first device: each step is looked at by the server, none is ticked by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.models import PushCertificate
from enrollment.services import policy
from epmm import health, options, settings_store
from users.models import ACCOUNT_DRIVEN, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    label: str | Promise
    is_done: bool
    page: str = ""  # where it is done, in the namespace `portal`
    of: tuple[str, ...] = ()  # what its address is made of


def steps() -> Iterator[Step]:
    yield Step(label=_("A worker runs"), is_done=health.worker_beats())
    is_named = settings_store.read(options.ENTERPRISE_NAME) != options.ENTERPRISE_NAME.default
    yield Step(label=_("Name your enterprise"), is_done=is_named, page="settings-page", of=("enterprise",))
    has_certificate = PushCertificate.objects.filter(not_after__gt=timezone.now()).exists()
    yield Step(label=_("Install the MDM certificate"), is_done=has_certificate, page="settings-ios-mdm")
    on = [policy.ROLE[kind] for kind in policy.offered()]
    yield Step(label=_("Enable account-driven enrollment"), is_done=bool(on), page="settings-ios-mdm")
    yield Step(
        label=_("Give a person a role for enrollment and a Managed Apple Account"),
        is_done=_is_somebody_ready(on or sorted(ACCOUNT_DRIVEN)),
        page="users",
    )
    yield Step(label=_("Enroll the first device"), is_done=False, page="logs-enrollment")


def is_ready() -> bool:
    """For a device that brings its person along."""
    return health.worker_beats() and bool(policy.offered())


def _is_somebody_ready(roles: Sequence[str]) -> bool:
    """Whose role is their own, or of a group that they are in."""
    own, of_group = Q(role_grants__key__in=roles), Q(memberships__group__roles__key__in=roles)
    return User.objects.filter(own | of_group, is_active=True).exclude(managed_apple_account=None).exists()
