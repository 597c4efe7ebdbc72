from dataclasses import dataclass
from typing import ClassVar, Final

from devices.protocol.declarations.base import (
    InvalidDeclaration,
    Payload,
    Read,
    TypedDeclaration,
    flag,
    https,
    key,
    list_of,
    local_time,
    one_of,
    part,
    text,
    version,
    whole,
)
from devices.protocol.sentence import sentence as _
from devices.protocol.target import Platform

MAC: Final = Platform.MACOS
DAYS: Final[Read] = whole(1, 90)
CONTROL: Final[Read] = one_of("Allowed", "AlwaysOn", "AlwaysOff")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareUpdateEnforcement(TypedDeclaration):
    """On an account-driven iPhone the one way to enforce an update: the commands need supervision.

    https://developer.apple.com/documentation/devicemanagement/softwareupdateenforcementspecific
    """

    type: ClassVar[str] = "com.apple.configuration.softwareupdate.enforcement.specific"

    target_os_version: str = key("TargetOSVersion", version, required=True)
    target_build_version: str | None = key("TargetBuildVersion", text)
    target_local_date_time: str = key("TargetLocalDateTime", local_time, required=True)
    details_url: str | None = key("DetailsURL", https)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferrals(Payload):
    combined: int | None = key("CombinedPeriodInDays", DAYS, without=MAC)
    major: int | None = key("MajorPeriodInDays", DAYS, only=MAC)
    minor: int | None = key("MinorPeriodInDays", DAYS, only=MAC)
    system: int | None = key("SystemPeriodInDays", DAYS, only=MAC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticActions(Payload):
    download: str | None = key("Download", CONTROL)
    install_os_updates: str | None = key("InstallOSUpdates", CONTROL)
    install_security_update: str | None = key("InstallSecurityUpdate", CONTROL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RapidSecurityResponse(Payload):
    enable: bool | None = key("Enable", flag)
    enable_rollback: bool | None = key("EnableRollback", flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaProgram(Payload):
    description: str = key("Description", text, required=True)
    token: str = key("Token", text, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beta(Payload):
    program_enrollment: str | None = key("ProgramEnrollment", CONTROL, supervised=True)
    offer_programs: tuple[BetaProgram, ...] | None = key("OfferPrograms", list_of(part(BetaProgram)))
    require_program: BetaProgram | None = key("RequireProgram", part(BetaProgram), supervised=True)

    def check(self) -> None:
        if self.require_program is not None and self.offer_programs is not None:
            raise InvalidDeclaration(_("Beta has either OfferPrograms or RequireProgram."))
        if self.require_program is not None and self.program_enrollment != "AlwaysOn":
            raise InvalidDeclaration(_("Beta.RequireProgram works with ProgramEnrollment AlwaysOn only."))
        if self.offer_programs is not None and self.program_enrollment == "AlwaysOff":
            raise InvalidDeclaration(_("Beta.OfferPrograms does not work with ProgramEnrollment AlwaysOff."))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareUpdateSettings(TypedDeclaration):
    """https://developer.apple.com/documentation/devicemanagement/softwareupdatesettings"""

    type: ClassVar[str] = "com.apple.configuration.softwareupdate.settings"

    notifications: bool | None = key("Notifications", flag)
    deferrals: Deferrals | None = key("Deferrals", part(Deferrals), supervised=True)
    recommended_cadence: str | None = key("RecommendedCadence", one_of("All", "Oldest", "Newest"), without=MAC)
    automatic_actions: AutomaticActions | None = key("AutomaticActions", part(AutomaticActions), supervised=True)
    rapid_security_response: RapidSecurityResponse | None = key(
        "RapidSecurityResponse", part(RapidSecurityResponse), supervised=True, without=Platform.VISIONOS
    )
    allow_standard_user: bool | None = key("AllowStandardUserOSUpdates", flag, only=MAC)
    beta: Beta | None = key("Beta", part(Beta), without=Platform.VISIONOS, since={MAC: "15.4"})
