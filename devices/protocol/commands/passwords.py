"""Passcodes, passwords and keys: what opens a device."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from devices.protocol import system
from devices.protocol.commands.base import URGENT, Command, command
from devices.protocol.commands.keys import Mistake, data, flag, table, text
from devices.protocol.reading import kept
from devices.protocol.sentence import gettext_noop
from devices.protocol.sentence import sentence as _
from devices.protocol.support import DEVICE, SUPERVISED, At, Facts, Right
from devices.protocol.target import Target

NO_TOKEN: Final = gettext_noop("ClearPasscode needs the unlock token of the device, and it has given us none.")


@command
class ClearPasscode(Command):
    """https://developer.apple.com/documentation/devicemanagement/clear-passcode-command."""

    priority: ClassVar = URGENT
    is_personal: ClassVar = True
    facts: ClassVar = Facts(ios=At("4.0", DEVICE, Right.LOCK), visionos=At("1.1", DEVICE, Right.LOCK))

    unlock_token: Annotated[bytes, data("UnlockToken", secret=True)]

    @classmethod
    def for_target(cls, target: Target) -> Self | None:
        """With the token that the device gave us: nobody has to see it, and nobody does."""
        token = target.unlock_token()
        return cls(unlock_token=token) if token else None

    @classmethod
    def parse(cls, payload: Mapping[str, Any], target: Target) -> Self:
        if not payload:
            raise Mistake(_(NO_TOKEN))
        return super().parse(payload, target)


@command
class ActivationLockBypassCode(Command):
    """https://developer.apple.com/documentation/devicemanagement/activation-lock-bypass-code-command."""

    facts: ClassVar = Facts(ios=At("7.1", SUPERVISED), macos=At("10.15", SUPERVISED), visionos=At("2.0", SUPERVISED))
    reads: ClassVar = system.BYPASS
    answers_with_secret: ClassVar = True


@command
class ClearActivationLockBypassCode(Command):
    """https://developer.apple.com/documentation/devicemanagement/clear-activation-lock-bypass-code-command."""

    facts: ClassVar = Facts(ios=At("7.1", SUPERVISED), macos=At("10.15", SUPERVISED), visionos=At("2.0", SUPERVISED))


@command
class SetRecoveryLock(Command):
    """https://developer.apple.com/documentation/devicemanagement/set-recovery-lock-command."""

    facts: ClassVar = Facts(macos=At("11.5", DEVICE, Right.LOCK))

    new_password: Annotated[str, text("NewPassword", secret=True)]
    current_password: Annotated[str | None, text("CurrentPassword", secret=True)] = None


@command
class VerifyRecoveryLock(Command):
    """https://developer.apple.com/documentation/devicemanagement/verify-recovery-lock-command."""

    facts: ClassVar = Facts(macos=At("11.5", DEVICE, Right.LOCK))
    reads: ClassVar = kept("PasswordVerified")

    password: Annotated[str, text("Password", secret=True)]


@command
class SetFirmwarePassword(Command):
    """https://developer.apple.com/documentation/devicemanagement/set-firmware-password-command."""

    facts: ClassVar = Facts(macos=At("10.13", DEVICE, Right.LOCK))
    reads: ClassVar = kept("SetFirmwarePassword")

    new_password: Annotated[str, text("NewPassword", secret=True)]
    current_password: Annotated[str | None, text("CurrentPassword", secret=True)] = None
    allow_oroms: Annotated[bool, flag("AllowOroms")] = False


@command
class VerifyFirmwarePassword(Command):
    """https://developer.apple.com/documentation/devicemanagement/verify-firmware-password-command."""

    facts: ClassVar = Facts(macos=At("10.13", DEVICE))
    reads: ClassVar = kept("VerifyFirmwarePassword")

    password: Annotated[str, text("Password", secret=True)]


@command
class RotateFileVaultKey(Command):
    """https://developer.apple.com/documentation/devicemanagement/rotate-filevault-key-command."""

    facts: ClassVar = Facts(macos=At("10.9", DEVICE, Right.LOCK))
    reads: ClassVar = system.ROTATION
    answers_with_secret: ClassVar = True

    key_type: Annotated[str, text("KeyType", "personal", "institutional")]
    file_vault_unlock: Annotated[
        Mapping[str, Any],
        table(
            "FileVaultUnlock",
            text("Password", secret=True),
            data("PrivateKeyExport", secret=True),
            text("PrivateKeyExportPassword", secret=True),
            secret=True,
        ),
    ]
    new_certificate: Annotated[bytes | None, data("NewCertificate")] = None
    reply_encryption_certificate: Annotated[bytes | None, data("ReplyEncryptionCertificate")] = None

    def objection(self, target: Target) -> str | None:
        del target
        if self.key_type == "institutional" and self.new_certificate is None:
            return _("RotateFileVaultKey needs the key NewCertificate for an institutional key.")
        return None
