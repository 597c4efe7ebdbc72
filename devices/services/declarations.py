"""What administrators declare, and for which devices.  Devices are told by jobs, some hundred at a time."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Declaration, DeclarationAssignment, DeclarationSet, Device, Enrollment
from devices.protocol import declarations
from devices.protocol.declarations import (
    DeclarationKind,
    InvalidDeclaration,
    LegacyProfile,
    SoftwareUpdateEnforcement,
)
from devices.protocol.declarations.legacy import read_profile
from devices.protocol.declarative.manifest import canonical
from devices.services import declaration_places, declaration_sets, declared_profiles
from devices.services.declaring import OWN
from devices.services.wording import worded
from epmm import audit
from epmm.models import Job
from epmm.wire.errors import WireError
from epmm.wire.plist import to_json

CHUNK: Final = 200
UPDATES: Final = "softwareupdate."  # how the declarations begin that `put_update` makes
UNUSED: Final = timedelta(days=1)
HEAVY: Final = ("unlock_token", "bootstrap_token", "device__details")
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
        raise DeclarationRefused(worded(error.args[0])) from error
    row = Declaration.objects.select_for_update().filter(identifier=identifier).first()
    if row is not None and row.removed_at is not None:
        raise DeclarationRefused(_("{name} is being removed. Try again in a moment.").format(name=identifier))
    if row is not None and row.type != type_:
        raise DeclarationRefused(
            _("{name} is {type}. Remove it first, or choose another identifier.").format(name=identifier, type=row.type)
        )
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
    enrollments = Enrollment.objects.active().filter(device__in=devices).select_related("device")
    places = declaration_places.of_enrollments(list(enrollments.defer(*HEAVY)), row.type, for_users=for_users)
    for device in devices:
        if device.pk not in places:
            raise DeclarationRefused(_("{device} is not under management.").format(device=device))
        if sentence := declaration_places.why_not(row, places[device.pk]):
            raise DeclarationRefused(f"{device}: {worded(sentence)}")
    give(row, {device.pk: places[device.pk].holder.user_channel for device in devices})
    _record("declaration.assigned", row, actor, devices=[str(device.uuid) for device in devices])


def give(row: Declaration, devices: Mapping[int, bool]) -> int:
    """By number: whether to the users of the Mac.  Of updates a device has one, so the later takes the place of others.

    Call it within a transaction, for whoever can hold it; returns how many did not have it.
    """
    if row.identifier.startswith(UPDATES):
        others = DeclarationAssignment.objects.filter(
            device__in=list(devices), declaration__identifier__startswith=UPDATES, declaration__type=row.type
        )
        others.exclude(declaration=row).delete()
    had = set(row.assignments.filter(device__in=list(devices)).values_list("device_id", "for_users"))
    made = [DeclarationAssignment(declaration=row, device_id=key, for_users=users) for key, users in devices.items()]
    DeclarationAssignment.objects.bulk_create(made, ignore_conflicts=True)
    tell_soon(list(devices))
    return len(set(devices.items()) - had)


@transaction.atomic
def unassign(identifier: str, devices: Sequence[Device], *, actor: str) -> None:
    row = get(identifier)
    assigned = row.assignments.filter(device__in=devices)
    missing = {device.pk: device for device in devices}
    for key in assigned.values_list("device_id", flat=True):
        missing.pop(key or 0, None)
    if missing:
        told = _("{name} is not assigned to {devices}.")
        raise DeclarationRefused(told.format(name=identifier, devices=", ".join(map(str, missing.values()))))
    assigned.delete()
    tell_soon([device.pk for device in devices])
    _record("declaration.unassigned", row, actor, devices=[str(device.uuid) for device in devices])


@transaction.atomic
def enforce_update(
    device: Device, *, version: str, by: str, build: str | None = None, details_url: str | None = None, actor: str
) -> Declaration:
    row = put_update(version=version, by=by, build=build, details_url=details_url, actor=actor)
    assign(row.identifier, [device], actor=actor)
    return row


def put_update(
    *, version: str, by: str, build: str | None = None, details_url: str | None = None, actor: str
) -> Declaration:
    """One for each version and time, however many devices it goes to."""
    typed = {
        "TargetOSVersion": version,
        "TargetLocalDateTime": by,
        "TargetBuildVersion": build,
        "DetailsURL": details_url,
    }
    try:
        payload = SoftwareUpdateEnforcement.parse({key: value for key, value in typed.items() if value}).payload
    except InvalidDeclaration as error:
        raise DeclarationRefused(worded(error.args[0])) from error
    told = declared_profiles.digest(canonical(payload))[:16]
    return put(f"{UPDATES}{told}", SoftwareUpdateEnforcement.type, payload, actor=actor)


@transaction.atomic
def forget_updates() -> None:
    """Those that no device has any more: each was made for some devices, and another took its place."""
    ours = Declaration.objects.filter(identifier__startswith=UPDATES, type=SoftwareUpdateEnforcement.type)
    unused = ours.filter(assignments=None, changed_at__lt=timezone.now() - UNUSED)
    locked = list(Declaration.objects.select_for_update().filter(pk__in=list(unused.values_list("pk", flat=True))))
    Declaration.objects.filter(pk__in=[row.pk for row in locked], assignments=None).delete()


def get(identifier: str) -> Declaration:
    row = Declaration.objects.filter(identifier=identifier, removed_at=None).first()
    if row is None:
        raise DeclarationRefused(_("There is no declaration {name}.").format(name=identifier))
    return row


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


def tell_soon(devices: Sequence[int]) -> None:
    for start in range(0, len(devices), CHUNK):
        Job.enqueue(ASSIGNED, devices=list(devices[start : start + CHUNK]))


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
        forget_updates()


# --- Checking ---------------------------------------------------------------------------------------------------------


def _checked(
    identifier: str, type_: str, payload: Mapping[str, Any] | None, profile: bytes | None, predicate: str
) -> dict[str, Any]:
    """The columns of the row."""
    declarations.check_identifier(identifier)
    if identifier.startswith(OWN):
        raise InvalidDeclaration(_("Identifiers that begin with {start} are the server's own.").format(start=OWN))
    if predicate and declarations.kind_of(type_) != DeclarationKind.CONFIGURATION:
        raise InvalidDeclaration(_("A predicate goes with a configuration."))
    if type_ == LegacyProfile.type:
        if profile is None:
            raise InvalidDeclaration(
                _("{type} takes the profile itself; this server gives it an address.").format(type=type_)
            )
        if payload:
            raise InvalidDeclaration(_("{type} takes the profile alone, without a payload.").format(type=type_))
        read_profile(profile)
        sha256 = declared_profiles.digest(profile)
        checked: dict[str, Any] = {}
    elif profile is not None:
        raise InvalidDeclaration(_("{type} takes a payload, and no profile.").format(type=type_))
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
        raise InvalidDeclaration(_("The payload holds text or numbers that JSON has no room for."))
    return payload


def _record(action: str, row: Declaration, actor: str, **details: Any) -> None:
    """Its payload may hold a secret, so the audit does not."""
    audit.record(action, actor=actor, subject_type="declaration", subject=row.identifier, details=details)
