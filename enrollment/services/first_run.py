"""From an empty installation to its first device: each step is looked at by the server, none is ticked by hand."""

from collections.abc import Iterator
from dataclasses import dataclass

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
    has_certificate = PushCertificate.objects.exists()
    yield Step(label=_("Install the MDM certificate"), is_done=has_certificate, page="settings-ios-mdm")
    is_on = any(settings_store.read(setting) for setting in policy.FEATURE.values())
    yield Step(label=_("Enable account-driven enrollment"), is_done=is_on, page="settings-ios-mdm")
    ready = User.objects.filter(role_grants__key__in=ACCOUNT_DRIVEN, is_active=True)
    yield Step(
        label=_("Give a person a role for enrollment and a Managed Apple Account"),
        is_done=ready.exclude(managed_apple_account=None).exists(),
        page="users",
    )
    yield Step(label=_("Enroll the first device"), is_done=False, page="logs-enrollment")
