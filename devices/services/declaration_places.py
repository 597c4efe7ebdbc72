"""Where on a device a declaration would go, and whether it may: asked of many devices by one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from devices.models import Channel, Declaration, DeclarationSet, Enrollment
from devices.protocol import declarations
from devices.protocol.declarations import Capabilities, Holder, InvalidDeclaration
from devices.protocol.support import Channels
from devices.protocol.target import Platform, Target
from devices.services import declared_profiles
from devices.services.target import target_of


@dataclass(frozen=True, slots=True)
class Place:
    """Devices that are alike have the same one."""

    holder: Holder
    target: Target


def of_enrollments(enrollments: Sequence[Enrollment], type_: str, *, for_users: bool) -> dict[int, Place]:
    """By the number of the device.  Each comes with its device; of several for one device the newest counts."""
    told = _capabilities(enrollments)
    only_users = declarations.facts_of(type_).channels == Channels.USER
    places = {}
    for enrollment in sorted(enrollments, key=lambda each: each.pk):
        target = target_of(Channel(enrollment=enrollment))
        of_users = for_users or (target.platform is Platform.MACOS and only_users)
        places[enrollment.device_id or 0] = Place(
            Holder(
                platform=target.platform,
                kind=target.kind,
                user_channel=of_users,
                os_version=enrollment.device.os_version if enrollment.device is not None else "",
                capabilities=told.get((enrollment.pk, of_users)),
            ),
            replace(target, user_channel=of_users),
        )
    return places


def _capabilities(enrollments: Sequence[Enrollment]) -> dict[tuple[int, bool], Capabilities | None]:
    """Of the device, and of its users, who can the same."""
    rows = DeclarationSet.objects.filter(channel__enrollment__in=[each.pk for each in enrollments]).order_by("pk")
    columns = rows.values_list("channel__enrollment_id", "channel__user_key", "capabilities")
    return {(enrollment, user_key != ""): Capabilities.read(told) for enrollment, user_key, told in columns}


def why_not(row: Declaration, place: Place) -> str | None:
    """One sentence for the administrator, or None when nothing speaks against it."""
    if sentence := declarations.why_not(row.type, None if row.profile_sha256 else row.payload, place.holder):
        return sentence
    try:
        return declared_profiles.why_not(row.profile_sha256, place.target) if row.profile_sha256 else None
    except InvalidDeclaration as error:  # stored when less was asked of a profile
        return str(error)
