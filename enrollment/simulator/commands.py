"""What a device does with a command: it answers the ones it knows and says which ones it does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from enrollment.simulator import facts
from enrollment.simulator.failures import CommandFailed, CommandFormatError, needed
from enrollment.simulator.identity import Identity
from enrollment.simulator.managed import DOMAIN, Managed
from enrollment.simulator.mdm_link import dictionary
from enrollment.simulator.messages import Membership
from enrollment.simulator.network import media_type
from enrollment.simulator.profile import unwrap
from enrollment.simulator.refusal import DeviceRefused

Keys = Mapping[str, Any]
Handler = Callable[[Keys], dict[str, Any]]

# "Handling NotNow status responses": to these an iPhone or iPad always has an answer.
ALWAYS_ANSWERED_BY_PHONES = frozenset(
    {
        "DeviceInformation",
        "ProfileList",
        "DeviceLock",
        "EraseDevice",
        "ClearPasscode",
        "ProvisioningProfileList",
        "InstalledApplicationList",
        "Restrictions",
    }
)
_INSTALL = 2
# The bit of AccessRights that a command needs; RemoveProfile of the enrollment profile needs none.
_RIGHTS = {
    "ProfileList": 1,
    "CertificateList": 1,
    "InstallProfile": _INSTALL,
    **dict.fromkeys(("DeviceLock", "ClearPasscode", "RestartDevice", "ShutDownDevice"), 4),
    **dict.fromkeys(("SetRecoveryLock", "VerifyRecoveryLock", "RotateFileVaultKey"), 4),
    "EraseDevice": 8,
    "InstalledApplicationList": 256,
    "Restrictions": 512,
    "SecurityInfo": 1024,
    "Settings": 2048,
    **dict.fromkeys(("InstallApplication", "RemoveApplication", "ManagedApplicationList"), 4096),
}


_NOT_ON_AN_OWN_PHONE = frozenset({"EraseDevice", "ClearPasscode", "Restrictions"})
_NOT_ON_AN_OWN_MAC = frozenset(
    {
        "EraseDevice",
        "DeviceLock",
        "InstalledApplicationList",
        "RemoveApplication",
        "ManagedApplicationFeedback",
        "RestartDevice",
        "ShutDownDevice",
        "UserList",
        "AvailableOSUpdates",
        "ScheduleOSUpdateScan",
        "ScheduleOSUpdate",
        "OSUpdateStatus",
        "ActivationLockBypassCode",
        "SetRecoveryLock",
        "VerifyRecoveryLock",
        "RotateFileVaultKey",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    uuid: str
    request_type: str
    keys: Keys = field(repr=False)


def read(response: httpx2.Response) -> Command | None:
    """The command in an accepted answer; None when the server has nothing more, which is zero bytes."""
    if not response.content:
        return None
    if media_type(response) not in {"application/xml", "text/xml"}:
        raise DeviceRefused("ignores the command", f"it came as {media_type(response) or 'no type'}, not as XML")
    message = dictionary(response.content, "a command")
    identifier, keys = message.get("CommandUUID"), message.get("Command")
    if not isinstance(identifier, str) or not identifier:
        raise DeviceRefused("ignores the command", "CommandUUID is missing")
    if not isinstance(keys, dict) or not isinstance(keys.get("RequestType"), str):
        raise DeviceRefused("ignores the command", "Command is not a dictionary with a RequestType")
    return Command(uuid=identifier, request_type=keys["RequestType"], keys=keys)


class Commands:
    """The commands this device runs; `answers` go before its own, one request type at a time.

    `agrees`: what the person says when asked about an app, None while there is no word.
    """

    def __init__(
        self,
        member: Membership,
        identity: Identity,
        answers: Mapping[str, Handler],
        agrees: Callable[[], bool | None] = lambda: True,
    ) -> None:
        self.member = member
        self.identity = identity
        self.profiles: dict[str, dict[str, Any]] = {}
        self._answers = answers
        self._managed = Managed(member, agrees)
        self._handlers: dict[str, Handler] = {
            "DeviceInformation": self._device_information,
            "SecurityInfo": self._security,
            "InstalledApplicationList": self._installed_applications,
            "ProfileList": self._profile_list,
            "CertificateList": lambda _: {"CertificateList": facts.certificates(self.identity)},
            "DeviceLock": self._device_lock,
            "InstallProfile": self._install_profile,
            "RemoveProfile": self._remove_profile,
            "DeclarativeManagement": lambda _: {},
            "EraseDevice": lambda _: {},
            **self._managed.handlers,
        }

    def managed_applications(self) -> list[dict[str, Any]]:
        return self._managed.installed()

    def answer(self, command: Command) -> dict[str, Any]:
        """`Status` and what belongs to it."""
        try:
            handler = self._answers.get(command.request_type) or self._handlers.get(command.request_type, _unsupported)
            self._check_right(command.request_type)
            return {"Status": "Acknowledged", **handler(command.keys)}
        except CommandFormatError:
            return {"Status": "CommandFormatError"}
        except CommandFailed as error:
            return error.result

    def is_own_enrollment(self, command: Command) -> bool:
        """Whether this InstallProfile replaces the enrollment profile itself."""
        if command.request_type != "InstallProfile" or not isinstance(command.keys.get("Payload"), bytes):
            return False
        try:
            keys, _ = unwrap(command.keys["Payload"])
        except DeviceRefused:
            return False  # the handler says so
        return bool(keys.get("PayloadIdentifier") == self.member.profile.identifier)

    def ends_enrollment(self, command: Command) -> bool:
        own = command.keys.get("Identifier") == self.member.profile.identifier
        return command.request_type == "EraseDevice" or (command.request_type == "RemoveProfile" and own)

    def _check_right(self, request_type: str) -> None:
        right = _RIGHTS.get(request_type)
        if right is not None and not self.member.allows(right):
            raise CommandFailed(DOMAIN, 12003, "The server does not have the right to do this.")
        if self.member.is_user_enrollment and request_type in self._forbidden_to_user_enrollments():
            raise CommandFailed(DOMAIN, 12021, "The request is not valid for a user enrollment.")

    def _forbidden_to_user_enrollments(self) -> frozenset[str]:
        return _NOT_ON_AN_OWN_MAC if self.member.hardware.family.is_mac else _NOT_ON_AN_OWN_PHONE

    def _device_information(self, keys: Keys) -> dict[str, Any]:
        queries = needed(keys, "Queries", list)
        if not queries or not all(isinstance(query, str) for query in queries):
            raise CommandFormatError
        known = facts.information(self.member)
        return {"QueryResponses": {query: known[query] for query in queries if query in known}}

    def _security(self, _: Keys) -> dict[str, Any]:
        known = facts.security(self.member)
        return {"SecurityInfo": known | ({"PasscodePresent": False} if not self._managed.has_passcode else {})}

    def _installed_applications(self, keys: Keys) -> dict[str, Any]:
        others = [] if keys.get("ManagedAppsOnly") else facts.applications(self.member)
        found = [*others, *self._managed.installed()]
        wanted, items = keys.get("Identifiers"), keys.get("Items")
        if isinstance(wanted, list):
            found = [entry for entry in found if entry["Identifier"] in wanted]
        if isinstance(items, list):
            found = [{key: value for key, value in entry.items() if key in items} for entry in found]
        return {"InstalledApplicationList": found}

    def _profile_list(self, _: Keys) -> dict[str, Any]:
        profile = self.member.profile
        managed = None if self.member.hardware.family.is_mac else True
        own = facts.installed_profile(dict(profile.keys), profile.signer, managed=managed)
        others = [facts.installed_profile(keys, None, managed=managed) for keys in self.profiles.values()]
        return {"ProfileList": [own, *others]}

    @staticmethod
    def _device_lock(keys: Keys) -> dict[str, Any]:
        return {"MessageResult": "Success"} if keys.get("Message") or keys.get("PhoneNumber") else {}

    def _install_profile(self, keys: Keys) -> dict[str, Any]:
        payload = needed(keys, "Payload", bytes)
        try:
            profile, _ = unwrap(payload)
            needed(profile, "PayloadContent", list)
            self.profiles[needed(profile, "PayloadIdentifier", str)] = profile
        except (DeviceRefused, CommandFormatError) as error:
            raise CommandFailed("MCInstallationErrorDomain", 4001, "The profile could not be installed.") from error
        return {}

    def _remove_profile(self, keys: Keys) -> dict[str, Any]:
        identifier = needed(keys, "Identifier", str)
        if identifier == self.member.profile.identifier:
            return {}  # the enrollment may always be ended
        if not self.member.allows(_INSTALL):
            raise CommandFailed(DOMAIN, 12003, "The server does not have the right to do this.")
        if self.profiles.pop(identifier, None) is None:
            raise CommandFailed(DOMAIN, 12018, "The profile is not installed.")
        return {}


def _unsupported(_: Keys) -> dict[str, Any]:
    raise CommandFailed(DOMAIN, 12021, "The request type is not supported.")
