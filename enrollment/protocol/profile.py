"""The enrollment profile: values in, property list out.

Sources: Apple's schema `com.apple.mdm`, `com.apple.security.scep`, TopLevel and CommonPayloadKeys; Apple's page
"Implementing the simple authentication account-driven enrollment flow", step 13.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from epmm.wire import plist

MODES: Final = {"adde": "ADDE", "aaue": "BYOD"}
KEY_BITS: Final = 2048  # Apple's default is 1024
SIGN_AND_ENCRYPT: Final = 5

# `per-user-connections` can never be added by an update, and Macs cannot be managed without it: from the first profile.
# `com.apple.mdm.token` is announced by servers that answer GetToken, which this one does not.
# A bootstrap token opens the whole device, and somebody's own is not ours to open (setbootstraptoken.yaml:
# `userenrollment: forbidden`): a device that was offered to keep one would believe that it is kept.
CAPABILITIES: Final = {
    "adde": ("com.apple.mdm.per-user-connections", "com.apple.mdm.bootstraptoken"),
    "aaue": ("com.apple.mdm.per-user-connections",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scep:
    url: str
    challenge: str = field(repr=False)
    common_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentProfile:
    kind: str  # "adde" or "aaue"
    identifier: str  # stable for a server: the handle for replacing and removing the profile
    reference: str  # of this very profile; its UUIDs follow from it, so a repeated download is the same to the byte
    organization: str
    managed_apple_account: str
    topic: str
    server_url: str
    checkin_url: str
    access_rights: int | None
    sign_message: bool
    scep: Scep

    def render(self) -> bytes:
        top = {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": self.identifier,
            "PayloadUUID": self._uuid("profile"),
            "PayloadDisplayName": f"{self.organization} device management",
            "PayloadOrganization": self.organization,
            "PayloadContent": [self._identity(), self._mdm()],
        }
        return plist.dump(top)

    def _uuid(self, part: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self.identifier}/{self.reference}/{part}")).upper()

    def _payload(self, kind: str, part: str, name: str) -> dict[str, Any]:
        return {
            "PayloadType": kind,
            "PayloadVersion": 1,
            "PayloadIdentifier": f"{self.identifier}.{part}",
            "PayloadUUID": self._uuid(part),
            "PayloadDisplayName": name,
        }

    def _identity(self) -> dict[str, Any]:
        """The settings are nested in PayloadContent, and three of the keys contain spaces or odd case."""
        settings = {
            "URL": self.scep.url,
            "Name": "EPMM",
            "Subject": [[["O", self.organization]], [["CN", self.scep.common_name]]],
            "Challenge": self.scep.challenge,
            "Keysize": KEY_BITS,
            "Key Type": "RSA",
            "Key Usage": SIGN_AND_ENCRYPT,
            "Retries": 3,
            "RetryDelay": 10,
            "KeyIsExtractable": False,
        }
        return self._payload("com.apple.security.scep", "scep", "Device identity") | {"PayloadContent": settings}

    def _mdm(self) -> dict[str, Any]:
        payload = self._payload("com.apple.mdm", "mdm", "Device management") | {
            "IdentityCertificateUUID": self._uuid("scep"),
            "Topic": self.topic,
            "ServerURL": self.server_url,
            "CheckInURL": self.checkin_url,
            "CheckOutWhenRemoved": True,
            "SignMessage": self.sign_message,
            "ServerCapabilities": list(CAPABILITIES[self.kind]),
            "EnrollmentMode": MODES[self.kind],
            "AssignedManagedAppleID": self.managed_apple_account,
        }
        if self.access_rights is not None:  # a user enrollment that carries them is cancelled by the device
            payload["AccessRights"] = self.access_rights
        return payload
