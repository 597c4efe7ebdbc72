"""Applications that we manage, and the extensions of a Mac."""

from typing import Annotated, ClassVar

from devices.protocol import installed
from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import flag, texts
from devices.protocol.reading import kept
from devices.protocol.support import ANY, DEVICE, EITHER, USER, At, Facts, Right
from devices.protocol.target import Target


@command
class ManagedApplicationList(Command):
    """https://developer.apple.com/documentation/devicemanagement/managed-application-list-command."""

    facts: ClassVar = Facts(
        ios=At("5.0", ANY, Right.APP_MANAGEMENT),
        macos=At("11.0", ANY, Right.APP_MANAGEMENT),
        visionos=At("1.1", ANY, Right.APP_MANAGEMENT),
        channels=EITHER,
    )
    reads: ClassVar = installed.MANAGED_APPLICATIONS

    identifiers: Annotated[tuple[str, ...] | None, texts("Identifiers", ios=At("7.0"))] = None

    def is_partial(self, target: Target) -> bool:
        del target
        return self.identifiers is not None


@command
class ManagedApplicationConfiguration(Command):
    """https://developer.apple.com/documentation/devicemanagement/managed-application-configuration-command."""

    facts: ClassVar = Facts(
        ios=At("7.0", ANY, Right.APP_MANAGEMENT),
        macos=At("10.15", ANY, Right.APP_MANAGEMENT),
        visionos=At("1.1", ANY, Right.APP_MANAGEMENT),
    )
    reads: ClassVar = kept("ApplicationConfigurations")

    identifiers: Annotated[tuple[str, ...], texts("Identifiers")]


@command
class ManagedApplicationAttributes(Command):
    """https://developer.apple.com/documentation/devicemanagement/managed-application-attributes-command."""

    facts: ClassVar = Facts(ios=At("7.0", ANY, Right.APP_MANAGEMENT), visionos=At("1.1", ANY, Right.APP_MANAGEMENT))
    reads: ClassVar = kept("ApplicationAttributes")

    identifiers: Annotated[tuple[str, ...], texts("Identifiers")]


@command
class ManagedApplicationFeedback(Command):
    """https://developer.apple.com/documentation/devicemanagement/managed-application-feedback-command."""

    facts: ClassVar = Facts(
        ios=At("7.0", ANY, Right.APP_MANAGEMENT),
        macos=At("11.0", DEVICE, Right.APP_MANAGEMENT),
        visionos=At("1.1", ANY, Right.APP_MANAGEMENT),
        channels=USER,
    )
    reads: ClassVar = kept("ManagedApplicationFeedback")

    identifiers: Annotated[tuple[str, ...], texts("Identifiers")]
    delete_feedback: Annotated[bool, flag("DeleteFeedback")] = False


@command
class ActiveNSExtensions(Command):
    """https://developer.apple.com/documentation/devicemanagement/active-nsextensions-command."""

    facts: ClassVar = Facts(macos=At("10.13", DEVICE, Right.APPLICATIONS), channels=USER)
    reads: ClassVar = kept("Extensions")

    filter_extension_points: Annotated[tuple[str, ...] | None, texts("FilterExtensionPoints")] = None


@command
class NSExtensionMappings(Command):
    """https://developer.apple.com/documentation/devicemanagement/nsextension-mappings-command."""

    facts: ClassVar = Facts(macos=At("10.13", DEVICE, Right.APPLICATIONS), channels=USER)
    reads: ClassVar = kept("Extensions")
