"""What administrators declare, and for which devices.  Devices are told by jobs, some hundred at a time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from devices.models import Channel, Declaration, DeclarationAssignment, DeclarationSet, Device, Enrollment
from devices.protocol import declarations
from devices.protocol.commands import Platform
from devices.protocol.declarations import (
    Capabilities,
    DeclarationKind,
    Holder,
    InvalidDeclaration,
    LegacyProfile,
    SoftwareUpdateEnforcement,
)
from devices.protocol.declarations.legacy import check_profile
from devices.protocol.declarative.manifest import canonical
from devices.protocol.support import Channels
from devices.services import declaration_sets, declared_profiles
from devices.services.declaring import OWN
from devices.services.target import target_of
from epmm import audit
from epmm.models import Job
from epmm.wire.errors import WireError
from epmm.wire.plist import to_json

CHUNK: Final = 200
CHANGED: Final = "devices.declaration_changed"
ASSIGNED: Final = "devices.declarations_assigned"
MORE: Final = "devices.refresh_more_declarations"


class DeclarationRefused(Exception):
    """Nothing was changed.  The argument is a sentence for the administrator."""


@transaction.atomic
def put(
    identifier: str,
    type_: str,
    payload: Mapping[str, Any] | None = None,
    *,
    profile: bytes | None = None,
    predicate: str = "",
    actor: str,
) -> Declaration:
    """Declare it, or change what is declared.  A profile stands for the payload of the type that downloads one."""
    try:
        content = _checked(identifier, type_, payload, profile, predicate)
    except InvalidDeclaration as error:
        raise DeclarationRefused(str(error)) from error
    row = Declaration.objects.select_for_update().filter(identifier=identifier).first()
    if row is not None and row.removed_at is not None:
        raise DeclarationRefused(f"{identifier} is being removed. Try again in a moment.")
    if row is not None and row.type != type_:
        raise DeclarationRefused(f"{identifier} is {row.type}. Remove it first, or choose another identifier.")
    row = row or Declaration(identifier=identifier, type=type_, kind=declarations.kind_of(type_).value)
    if row.version == (version := content.pop("version")):
        return row
    for name, value in {**content, "version": version, "changed_at": timezone.now()}.items():
        setattr(row, name, value)
    row.save()
    _record("declaration.set", row, actor, type=type_, version=version)
    Job.enqueue(CHANGED, declaration=row.pk)
    return row


@transaction.atomic
def remove(identifier: str, *, actor: str) -> None:
    row = get(identifier)
    row.removed_at = timezone.now()
    row.save(update_fields=["removed_at"])
    _record("declaration.removed", row, actor)
    Job.enqueue(CHANGED, declaration=row.pk)


@transaction.atomic
def assign(identifier: str, devices: Sequence[Device], *, for_users: bool = False, actor: str) -> None:
    """To all of these, or to none when one of them cannot hold it."""
    row = get(identifier)
    made = []
    for device in devices:
        holder = holder_of(device, row.type, for_users=for_users)
        if sentence := declarations.why_not(row.type, None if row.profile_sha256 else row.payload, holder):
            raise DeclarationRefused(f"{device}: {sentence}")
        made.append(DeclarationAssignment(declaration=row, device=device, for_users=holder.user_channel))
    DeclarationAssignment.objects.bulk_create(made, ignore_conflicts=True)
    _changed_for("declaration.assigned", row, devices, actor)


@transaction.atomic
def unassign(identifier: str, devices: Sequence[Device], *, actor: str) -> None:
    row = get(identifier)
    assigned = row.assignments.filter(device__in=devices)
    missing = {device.pk: device for device in devices}
    for key in assigned.values_list("device_id", flat=True):
        missing.pop(key or 0, None)
    if missing:
        raise DeclarationRefused(f"{identifier} is not assigned to {', '.join(map(str, missing.values()))}.")
    assigned.delete()
    _changed_for("declaration.unassigned", row, devices, actor)


@transaction.atomic
def enforce_update(
    device: Device, *, version: str, by: str, build: str | None = None, details_url: str | None = None, actor: str
) -> Declaration:
    """One for each device: a later one takes the place of the earlier."""
    payload = SoftwareUpdateEnforcement(
        target_os_version=version, target_local_date_time=by, target_build_version=build, details_url=details_url
    ).payload
    row = put(f"softwareupdate.{device.uuid}", SoftwareUpdateEnforcement.type, payload, actor=actor)
    assign(row.identifier, [device], actor=actor)
    return row


def get(identifier: str) -> Declaration:
    row = Declaration.objects.filter(identifier=identifier, removed_at=None).first()
    if row is None:
        raise DeclarationRefused(f"There is no declaration {identifier}.")
    return row


def holder_of(device: Device, type_: str, *, for_users: bool) -> Holder:
    """Where on this device a declaration of the type would go."""
    enrollment = device.enrollments.active().select_related("device").order_by("pk").last()
    if enrollment is None:
        raise DeclarationRefused(f"{device} is not under management.")
    target = target_of(Channel(enrollment=enrollment))
    only_users = target.platform is Platform.MACOS and declarations.facts_of(type_).channels == Channels.USER
    of_users = for_users or only_users
    sets = DeclarationSet.objects.filter(channel__enrollment=enrollment)
    row = (sets.exclude(channel__user_key="") if of_users else sets.filter(channel__user_key="")).first()
    return Holder(
        platform=target.platform,
        kind=target.kind,
        user_channel=of_users,
        os_version=device.os_version,
        capabilities=Capabilities.read(row.capabilities) if row else None,
    )


# --- Telling devices --------------------------------------------------------------------------------------------------


@transaction.atomic
def spread_change(declaration: int, after: int = 0) -> None:
    """Some of the devices that a changed declaration is assigned to; the job of the others is written with them."""
    row = Declaration.objects.filter(pk=declaration).defer("profile").first()
    if row is None:
        return
    some = list(row.assignments.filter(pk__gt=after).order_by("pk").values_list("pk", "device_id")[:CHUNK])
    if row.removed_at is not None:
        DeclarationAssignment.objects.filter(pk__in=[key for key, _ in some]).delete()
    tell_devices([device for _, device in some])
    if len(some) == CHUNK:
        last = some[-1][0]
        Job.enqueue(CHANGED, dedupe_key=f"{CHANGED} {row.pk} {row.version} {last}", declaration=row.pk, after=last)
    elif row.removed_at is not None and not row.assignments.exists():
        row.delete()


def tell_devices(devices: Sequence[int | None]) -> None:
    of_devices = DeclarationSet.objects.filter(
        channel__enrollment__device__in=devices, channel__enrollment__state=Enrollment.State.ACTIVE
    )
    declaration_sets.refresh(list(of_devices.values_list("pk", flat=True)), announce=True)


@transaction.atomic
def refresh_all(after: int = 0) -> None:
    """Every channel once a day: systems are updated, and what devices can do changes with them."""
    some = list(DeclarationSet.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK])
    declaration_sets.refresh(some, announce=True)
    if len(some) == CHUNK:
        Job.enqueue(MORE, after=some[-1])
    else:
        declaration_sets.forget_unused(timezone.now())


# --- Checking ---------------------------------------------------------------------------------------------------------


def _checked(
    identifier: str, type_: str, payload: Mapping[str, Any] | None, profile: bytes | None, predicate: str
) -> dict[str, Any]:
    """The columns of the row."""
    declarations.check_identifier(identifier)
    if identifier.startswith(OWN):
        raise InvalidDeclaration(f"Identifiers that begin with {OWN} are the server's own.")
    if predicate and declarations.kind_of(type_) != DeclarationKind.CONFIGURATION:
        raise InvalidDeclaration("A predicate goes with a configuration.")
    if type_ == LegacyProfile.type:
        if profile is None:
            raise InvalidDeclaration(f"{type_} takes the profile itself; this server gives it an address.")
        check_profile(profile)
        sha256 = declared_profiles.digest(profile)
        checked: dict[str, Any] = {}
    else:
        sha256, checked = "", declarations.checked(type_, _json({} if payload is None else payload))
    told = {"payload": checked, "predicate": predicate, "profile_sha256": sha256}
    version = declared_profiles.digest(canonical({"type": type_, "identifier": identifier, **told}))
    return {**told, "profile": profile, "version": version}


def _json(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """What both databases and every reader of JSON take as it is."""
    try:
        same = bool(to_json(payload) == payload)
    except WireError:
        same = False
    if not same:
        raise InvalidDeclaration("The payload holds text or numbers that JSON has no room for.")
    return payload


def _changed_for(action: str, row: Declaration, devices: Sequence[Device], actor: str) -> None:
    _record(action, row, actor, devices=[str(device.uuid) for device in devices])
    keys = [device.pk for device in devices]
    for start in range(0, len(keys), CHUNK):
        Job.enqueue(ASSIGNED, devices=keys[start : start + CHUNK])


def _record(action: str, row: Declaration, actor: str, **details: Any) -> None:
    """Its payload may hold a secret, so the audit does not."""
    audit.record(action, actor=actor, subject_type="declaration", subject=row.identifier, details=details)
