"""Asking a device about itself."""

from typing import Annotated, ClassVar, Final, Self

from devices.protocol import installed, inventory
from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import LONGEST_NAME, data, flag, texts
from devices.protocol.queries import QUERIES, against, queries_for
from devices.protocol.reading import kept
from devices.protocol.sentence import sentence as _
from devices.protocol.sentence import with_nearest
from devices.protocol.support import ANY, DEVICE, EITHER, At, Facts, Right
from devices.protocol.target import Kind, Target

LONGEST_NONCE: Final = 32


@command
class DeviceInformation(Command):
    """https://developer.apple.com/documentation/devicemanagement/device-information-command."""

    facts: ClassVar = Facts(ios=At("4.0"), macos=At("10.7"), visionos=At("1.1"), channels=EITHER)
    reads: ClassVar = inventory.INFORMATION

    queries: Annotated[tuple[str, ...], texts("Queries")]
    device_attestation_nonce: Annotated[
        bytes | None, data("DeviceAttestationNonce", ios=At("16.0"), macos=At("14.0"))
    ] = None

    @classmethod
    def for_target(cls, target: Target) -> Self:
        """Everything that an enrollment of this kind may ask on this platform and channel."""
        return cls(queries=queries_for(target))

    def objection(self, target: Target) -> str | None:
        if not self.queries:
            return _("DeviceInformation needs at least one query.")
        if len(self.device_attestation_nonce or b"") > LONGEST_NONCE:
            return _("The key DeviceAttestationNonce of DeviceInformation has at most {n} bytes.", n=LONGEST_NONCE)
        return next(filter(None, (_against(name, target) for name in self.queries)), None)

    def is_partial(self, target: Target) -> bool:
        return not set(self.queries).issuperset(queries_for(target))


@command
class SecurityInfo(Command):
    """https://developer.apple.com/documentation/devicemanagement/security-info-command."""

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.SECURITY),
        macos=At("10.7", ANY, Right.SECURITY),
        visionos=At("1.1", ANY, Right.SECURITY),
        channels=EITHER,
    )
    reads: ClassVar = inventory.SECURITY


@command
class CertificateList(Command):
    """https://developer.apple.com/documentation/devicemanagement/certificate-list-command."""

    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.INSPECT),
        macos=At("10.7", ANY, Right.INSPECT),
        visionos=At("1.1", ANY, Right.INSPECT),
        channels=EITHER,
    )
    reads: ClassVar = installed.CERTIFICATES

    managed_only: Annotated[bool, flag("ManagedOnly", ios=At("13.0"), macos=At("10.15"))] = False

    def is_partial(self, target: Target) -> bool:
        """A device of the user's own lists nothing else in any case."""
        return self.managed_only and target.kind is not Kind.AAUE


@command
class ContentCachingInformation(Command):
    """https://developer.apple.com/documentation/devicemanagement/content-caching-information-command."""

    facts: ClassVar = Facts(macos=At("10.15.4", DEVICE, Right.NETWORK_INFORMATION))
    reads: ClassVar = kept("StatusResponse")


@command
class Restrictions(Command):
    """https://developer.apple.com/documentation/devicemanagement/restrictions-command."""

    facts: ClassVar = Facts(ios=At("4.0", DEVICE, Right.RESTRICTIONS), visionos=At("1.1", DEVICE, Right.RESTRICTIONS))
    reads: ClassVar = kept("GlobalRestrictions", "ProfileRestrictions")

    profile_restrictions: Annotated[bool, flag("ProfileRestrictions")] = False


def _against(name: str, target: Target) -> str | None:
    if name in QUERIES:
        return against(name, target)
    short = name[:LONGEST_NAME]
    return with_nearest(_("There is no query {name}.", name=short), short, QUERIES)
