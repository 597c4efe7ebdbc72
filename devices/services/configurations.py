"""What an administrator does with configurations.  What follows on the devices is `configuration_plan`'s."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from devices.models import (
    Configuration,
    ConfigurationAssignment,
    ConfigurationDelivery,
    ConfigurationVersion,
    Device,
    Enrollment,
    Label,
)
from devices.protocol.commands import Kind, Platform, Target
from devices.protocol.configuration_profile import (
    ConfigurationProfile,
    Payload,
    ProfileRefused,
    Scope,
    Verdict,
    judge,
    read,
)
from devices.services import configuration_plan, label_members
from devices.services.target import target_of
from devices.services.wording import worded
from epmm import audit

AT_ONCE: Final = 1000
_PLACES: Final = {
    gettext_noop("iPhone, iPad"): (Platform.IOS, Kind.ADDE),
    gettext_noop("iPhone, iPad of a user's own"): (Platform.IOS, Kind.AAUE),
    gettext_noop("Mac"): (Platform.MACOS, Kind.ADDE),
    gettext_noop("Mac of a user's own"): (Platform.MACOS, Kind.AAUE),
    gettext_noop("Vision Pro"): (Platform.VISIONOS, Kind.ADDE),
    gettext_noop("Vision Pro of a user's own"): (Platform.VISIONOS, Kind.AAUE),
}


class ConfigurationRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    configuration: Configuration
    version: ConfigurationVersion
    is_new: bool  # False: this very content was the current version already
    warnings: tuple[str, ...]
    verdicts: dict[str, Verdict] = field(default_factory=dict)  # by kind of device


def find(identifier: str) -> Configuration:
    found = Configuration.objects.standing().filter(identifier=identifier).select_related("current")
    configuration = found.defer("current__content").first()
    if configuration is None:
        raise ConfigurationRefused(_("There is no configuration {name}.").format(name=identifier))
    return configuration


def upload(raw: bytes, *, name: str = "", actor: str) -> Upload:
    """A new configuration, or a new version of the one that has this PayloadIdentifier."""
    try:
        profile = read(raw)
    except ProfileRefused as refused:
        raise ConfigurationRefused(worded(refused.args[0])) from refused
    _check_identifier(profile.identifier)
    configuration, version, is_new = _store(profile, name.strip()[:255], actor)
    return Upload(
        configuration=configuration,
        version=version,
        is_new=is_new,
        warnings=tuple(_warnings(profile)),
        verdicts=verdicts(profile.identifier, profile.payloads, profile.scope),
    )


def verdicts(identifier: str, payloads: Sequence[Payload], scope: str) -> dict[str, Verdict]:
    """What each kind of device would make of it."""
    return {
        place: _judged(
            identifier,
            payloads,
            Target(
                platform=platform,
                kind=kind,
                user_channel=platform is Platform.MACOS and scope == Scope.USER,
            ),
        )
        for place, (platform, kind) in _PLACES.items()
    }


def _judged(identifier: str, payloads: Sequence[Payload], target: Target) -> Verdict:
    verdict = judge(identifier, payloads, target)
    refusal = None if verdict.refusal is None else worded(verdict.refusal)
    return Verdict(refusal=refusal, warnings=tuple(map(worded, verdict.warnings)))


@transaction.atomic
def assign(configuration: Configuration, target: Device | Label, *, actor: str) -> bool:
    """False when it is assigned already; what cannot work on a device raises `ConfigurationRefused`."""
    if isinstance(target, Device):
        _check_device(configuration, target)
    columns = _columns(target)
    _, is_new = ConfigurationAssignment.objects.get_or_create(
        configuration=configuration, **columns, defaults={"created_by": actor[:255]}
    )
    if is_new:
        _audit("configuration.assigned", configuration, actor, **_told(target))
        _plan(configuration, target)
    return is_new


@transaction.atomic
def unassign(configuration: Configuration, target: Device | Label, *, actor: str) -> bool:
    """False when it was not assigned.  Devices that have it by another assignment keep it."""
    deleted, _ = configuration.assignments.filter(**_columns(target)).delete()
    if deleted:
        _audit("configuration.unassigned", configuration, actor, **_told(target))
        _plan(configuration, target)
    return bool(deleted)


@transaction.atomic
def remove(configuration: Configuration, *, actor: str) -> None:
    """From every device first; the row, and what was uploaded, go when no device has it any more."""
    configuration.removed_at = timezone.now()
    configuration.save(update_fields=["removed_at"])
    configuration.assignments.all().delete()
    _audit("configuration.removed", configuration, actor)
    configuration_plan.plan_soon(configuration)


def forget_removed() -> None:
    for configuration in Configuration.objects.exclude(removed_at=None):
        gone = configuration.deliveries.filter(state=ConfigurationDelivery.State.REVOKED)
        while ids := list(gone.values_list("pk", flat=True)[:AT_ONCE]):
            gone.filter(pk__in=ids).delete()  # one that was uploaded again meanwhile is wanted again
        with transaction.atomic():
            locked = Configuration.objects.select_for_update().exclude(removed_at=None).filter(pk=configuration.pk)
            if locked.exists() and not configuration.deliveries.exists():
                configuration.delete()


def _store(profile: ConfigurationProfile, name: str, actor: str) -> tuple[Configuration, ConfigurationVersion, bool]:
    digest = ConfigurationVersion.digest_of(profile.raw)
    title = name or profile.display_name[:255] or profile.identifier
    with transaction.atomic():
        Configuration.objects.get_or_create(
            identifier=profile.identifier, defaults={"name": title, "scope": profile.scope.value}
        )
        configuration = Configuration.objects.select_for_update().get(identifier=profile.identifier)
        if configuration.scope != profile.scope.value:
            told = _(
                "The PayloadScope of {name} is {scope} and stays so: "
                "a profile for {other} needs another PayloadIdentifier."
            )
            scopes = {"scope": configuration.scope, "other": profile.scope.value}
            raise ConfigurationRefused(told.format(name=profile.identifier, **scopes))
        current = configuration.versions.defer("content").filter(pk=configuration.current_id or 0).first()
        same = current if current is not None and current.digest == digest else None
        if same is not None and configuration.removed_at is None and name in {"", configuration.name}:
            return configuration, same, False
        version = same or _new_version(configuration, profile, digest, actor)
        configuration.current, configuration.removed_at = version, None
        configuration.name = name or (configuration.name if current else title)
        configuration.description = profile.description
        configuration.save()
        _audit("configuration.uploaded", configuration, actor, version=version.number, signed=version.is_signed)
        configuration_plan.plan_soon(configuration)
    return configuration, version, same is None


def _new_version(
    configuration: Configuration, profile: ConfigurationProfile, digest: str, actor: str
) -> ConfigurationVersion:
    newest = configuration.versions.order_by("-number").values_list("number", flat=True).first()
    return ConfigurationVersion.objects.create(
        configuration=configuration,
        number=(newest or 0) + 1,
        digest=digest,
        content=profile.raw,
        size=len(profile.raw),
        profile_uuid=profile.uuid,
        payloads=[payload.to_json() for payload in profile.payloads],
        is_signed=profile.signer is not None,
        signer=profile.signer or "",
        uploaded_by=actor[:255],
    )


def _check_identifier(identifier: str) -> None:
    if Enrollment.objects.standing().filter(profile_identifier__iexact=identifier).exists():
        raise ConfigurationRefused(
            _("{name} is the identifier of this server's enrollment profile.").format(name=identifier)
        )


def _warnings(profile: ConfigurationProfile) -> list[str]:
    if not profile.removes_itself:
        return []
    return [_("The profile removes itself after a time; it would be missed then, and installed again.")]


def _check_device(configuration: Configuration, device: Device) -> None:
    if device.status == Device.Status.RETIRED:
        raise ConfigurationRefused(_("This device is retired."))
    enrollment = device.enrollments.active().order_by("pk").last()
    channel = (
        enrollment.channels.filter(user_key="").select_related("enrollment__device").first() if enrollment else None
    )
    if channel is None or configuration.current is None:
        return  # looked at when it enrolls
    target = target_of(channel)
    if target.platform is Platform.MACOS and configuration.scope == Configuration.Scope.USER:
        target = replace(target, user_channel=True)
    verdict = _judged(configuration.identifier, configuration.current.outline, target)
    if verdict.refusal is not None:
        raise ConfigurationRefused(verdict.refusal)


def _plan(configuration: Configuration, target: Device | Label) -> None:
    if isinstance(target, Device):
        configuration_plan.plan_device_soon(target.pk)
    elif target.is_filter:
        label_members.evaluate_soon(target)
        configuration_plan.plan_soon(configuration)  # what has just been unassigned
    else:
        configuration_plan.plan_soon(configuration)


def _columns(target: Device | Label) -> dict[str, Any]:
    return {"device": target} if isinstance(target, Device) else {"label": target}


def _told(target: Device | Label) -> dict[str, str]:
    return {"device": str(target.uuid)} if isinstance(target, Device) else {"label": target.name}


def _audit(action: str, configuration: Configuration, actor: str, **details: Any) -> None:
    audit.record(action, actor=actor, subject_type="configuration", subject=configuration.identifier, details=details)
