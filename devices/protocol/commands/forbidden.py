"""Commands that no account-driven enrollment may send, so that a refusal can say why.

From Apple's schema, mdm/commands/*.yaml, iOS 18.2 and macOS 15.2; a test compares this table with it.
"""

from typing import Final

from devices.protocol.support import AUTOMATED, SHARED_IPAD, SUPERVISED, At, Facts

FORBIDDEN: Final[dict[str, Facts]] = {
    "AccountConfiguration": Facts(macos=At("10.11", AUTOMATED)),
    "ClearRestrictionsPassword": Facts(ios=At("8.0", SUPERVISED)),
    "DeviceConfigured": Facts(ios=At("9.0", AUTOMATED), macos=At("10.11", AUTOMATED), visionos=At("2.0", AUTOMATED)),
    "DeviceLocation": Facts(ios=At("9.3", SUPERVISED)),
    "DisableLostMode": Facts(ios=At("9.3", SUPERVISED)),
    "EnableLostMode": Facts(ios=At("9.3", SUPERVISED)),
    "LogOutUser": Facts(ios=At("9.3", SHARED_IPAD)),
    "PlayLostModeSound": Facts(ios=At("10.3", SUPERVISED)),
    "RequestUnlockToken": Facts(ios=At("5.0", SUPERVISED)),
    "SetAutoAdminPassword": Facts(macos=At("10.11", AUTOMATED)),
    "UserConfigured": Facts(ios=At("17.0", AUTOMATED)),
}
