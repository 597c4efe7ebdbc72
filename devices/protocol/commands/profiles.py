"""Configuration and provisioning profiles."""

from typing import Annotated, ClassVar

from devices.protocol import configuration_profile, installed
from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import data, flag, text
from devices.protocol.reading import kept
from devices.protocol.support import ANY, EITHER, At, Facts, Right
from devices.protocol.target import Kind, Target


@command
class ProfileList(Command):
    """https://developer.apple.com/documentation/devicemanagement/profile-list-command."""

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.INSPECT),
        macos=At("10.7", ANY, Right.INSPECT),
        visionos=At("1.1", ANY, Right.INSPECT),
        channels=EITHER,
    )
    reads: ClassVar = installed.PROFILES

    managed_only: Annotated[bool, flag("ManagedOnly", ios=At("13.0"), macos=At("10.15"))] = False

    def is_partial(self, target: Target) -> bool:
        """A device of the user's own lists nothing else in any case."""
        return self.managed_only and target.kind is not Kind.AAUE


@command
class InstallProfile(Command):
    """https://developer.apple.com/documentation/devicemanagement/install-profile-command."""

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.INSTALL),
        macos=At("10.7", ANY, Right.INSTALL),
        visionos=At("1.1", ANY, Right.INSTALL),
        channels=EITHER,
    )

    profile: Annotated[bytes, data("Payload", secret=True)]

    def objection_as_written(self, target: Target) -> str | None:
        """A configuration is judged when it is assigned; an enrollment profile is ours to send."""
        try:
            profile = configuration_profile.read(self.profile)
        except configuration_profile.ProfileRefused as refused:
            told: str = refused.args[0]  # a `Sentence`
            return told
        return configuration_profile.judge(profile.identifier, profile.payloads, target).refusal


@command
class RemoveProfile(Command):
    """https://developer.apple.com/documentation/devicemanagement/remove-profile-command.

    With the identifier of the enrollment profile it ends management, whatever the access rights.
    """

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.INSTALL),
        macos=At("10.7", ANY, Right.INSTALL),
        visionos=At("1.1", ANY, Right.INSTALL),
        channels=EITHER,
    )

    identifier: Annotated[str, text("Identifier")]


@command
class ProvisioningProfileList(Command):
    """https://developer.apple.com/documentation/devicemanagement/provisioning-profile-list-command."""

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.INSPECT_PROVISIONING),
        macos=At("11.0"),
        visionos=At("1.1", ANY, Right.INSPECT_PROVISIONING),
    )
    reads: ClassVar = kept("ProvisioningProfileList")

    managed_only: Annotated[bool, flag("ManagedOnly", ios=At("13.0"))] = False


@command
class InstallProvisioningProfile(Command):
    """https://developer.apple.com/documentation/devicemanagement/install-provisioning-profile-command."""

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.INSTALL_PROVISIONING),
        macos=At("11.0"),
        visionos=At("1.1", ANY, Right.INSTALL_PROVISIONING),
    )

    provisioning_profile: Annotated[bytes, data("ProvisioningProfile")]


@command
class RemoveProvisioningProfile(Command):
    """https://developer.apple.com/documentation/devicemanagement/remove-provisioning-profile-command."""

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.INSTALL_PROVISIONING),
        macos=At("11.0"),
        visionos=At("1.1", ANY, Right.INSTALL_PROVISIONING),
    )

    uuid: Annotated[str, text("UUID")]
