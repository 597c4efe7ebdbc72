"""What commands change on a device, and what it tells of it: applications, passwords, settings, updates, accounts."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from enrollment.simulator import facts
from enrollment.simulator.failures import CommandFailed, CommandFormatError, needed
from enrollment.simulator.messages import Membership

Keys = Mapping[str, Any]
Handler = Callable[[Keys], dict[str, Any]]

DOMAIN = "MCMDMErrorDomain"
_ASSIGNED_TO_THE_USER = 1  # PurchaseMethod
# Settings that Apple's schema gives an unsupervised phone; the first ones a user enrollment as well.
_OF_EVERYBODY = frozenset({"ApplicationConfiguration", "ApplicationAttributes", "OrganizationInfo", "MDMOptions"})
_OF_PHONES = frozenset({"DataRoaming", "VoiceRoaming", "PersonalHotspot", "DefaultApplications"})
_OF_MACS = frozenset({"Bluetooth", "DeviceName", "HostName"})


@dataclass
class Application:
    state: str = "Prompting"
    configuration: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


class Managed:
    """One device between two erasures."""

    def __init__(self, member: Membership, agrees: Callable[[], bool | None] = lambda: True) -> None:
        self.member = member
        self._agrees = agrees
        self.applications: dict[str, Application] = {}
        self.has_passcode = True
        self._recovery_lock = ""
        self._is_updating = False

    @property
    def handlers(self) -> dict[str, Handler]:
        """Of this family: another one does not know the command."""
        family = self._of_macs if self.member.hardware.family.is_mac else self._of_phones
        return {
            "ManagedApplicationList": self._managed_applications,
            "InstallApplication": self._install_application,
            "RemoveApplication": self._remove_application,
            "ManagedApplicationConfiguration": self._configurations,
            "ManagedApplicationFeedback": lambda _: {"ManagedApplicationFeedback": []},
            "ProvisioningProfileList": lambda _: {"ProvisioningProfileList": []},
            "Settings": self._settings,
            **family,
        }

    @property
    def _of_phones(self) -> dict[str, Handler]:
        return {
            "ClearPasscode": self._clear_passcode,
            "Restrictions": lambda _: facts.restrictions(),
            "ManagedApplicationAttributes": self._attributes,
            "ManagedMediaList": lambda _: {"Books": []},
            "ValidateApplications": lambda _: {},
        }

    @property
    def _of_macs(self) -> dict[str, Handler]:
        return {
            "RestartDevice": lambda _: {},
            "ShutDownDevice": lambda _: {},
            "UserList": lambda _: {"Users": facts.users(self.member)},
            "AvailableOSUpdates": lambda _: {"AvailableOSUpdates": facts.updates()},
            "ScheduleOSUpdateScan": lambda _: {"ScanInitiated": True},
            "ScheduleOSUpdate": self._schedule_update,
            "OSUpdateStatus": self._update_status,
            "ActivationLockBypassCode": lambda _: {"ActivationLockBypassCode": "LAB01-LAB02-LAB0-LAB0-LAB0-LAB0"},
            "SetRecoveryLock": self._set_recovery_lock,
            "VerifyRecoveryLock": self._verify_recovery_lock,
            "RotateFileVaultKey": self._rotate_key,
        }

    def installed(self) -> list[dict[str, Any]]:
        """Managed applications as InstalledApplicationList shows them."""
        self._ask_person()
        return [
            {"Identifier": name, "Name": name.rpartition(".")[2].title(), "Version": "1", "ShortVersion": "1.0"}
            for name, app in self.applications.items()
            if app.state == "Managed"
        ]

    def _ask_person(self) -> None:
        """For each application; until there is a word, the device goes on prompting."""
        agrees = self._agrees()
        for app in self.applications.values():
            if app.state == "Prompting" and agrees is not None:
                app.state = "Managed" if agrees else "UserRejected"

    def _managed_applications(self, keys: Keys) -> dict[str, Any]:
        self._ask_person()
        found = {name: app for name, app in self.applications.items() if name in keys.get("Identifiers", [name])}
        for name, app in found.items():
            if app.state == "UserRejected":  # it is told once
                del self.applications[name]
        return {"ManagedApplicationList": {name: _entry(app) for name, app in found.items()}}

    def _install_application(self, keys: Keys) -> dict[str, Any]:
        identifier, store_id = keys.get("Identifier"), keys.get("iTunesStoreID")
        if not identifier and not store_id and not keys.get("ManifestURL"):
            raise CommandFormatError
        of_the_store = not keys.get("ManifestURL")
        assigned = keys.get("Options", {}).get("PurchaseMethod") == _ASSIGNED_TO_THE_USER
        if self.member.is_user_enrollment and of_the_store and not assigned:
            raise CommandFailed(DOMAIN, 12070, "The purchase method is not supported.")
        name = str(identifier or f"org.example.store{store_id or ''}")
        app = Application(
            configuration=dict(keys.get("Configuration", {})), attributes=dict(keys.get("Attributes", {}))
        )
        self.applications[name] = app
        return {"Identifier": name, "State": app.state}

    def _remove_application(self, keys: Keys) -> dict[str, Any]:
        self._ask_person()
        app = self.applications.pop(needed(keys, "Identifier", str), None)
        if app is None or app.state == "UserRejected":
            raise CommandFailed(DOMAIN, 12026, "The app is not managed.")
        return {}

    def _configurations(self, keys: Keys) -> dict[str, Any]:
        found = self._named(keys)
        return {"ApplicationConfigurations": [{"Identifier": n, "Configuration": a.configuration} for n, a in found]}

    def _attributes(self, keys: Keys) -> dict[str, Any]:
        return {"ApplicationAttributes": [{"Identifier": n, "Attributes": a.attributes} for n, a in self._named(keys)]}

    def _named(self, keys: Keys) -> list[tuple[str, Application]]:
        wanted = needed(keys, "Identifiers", list)
        return [(name, app) for name, app in self.applications.items() if name in wanted]

    def _settings(self, keys: Keys) -> dict[str, Any]:
        items = needed(keys, "Settings", list)
        if not all(isinstance(item, dict) and isinstance(item.get("Item"), str) for item in items):
            raise CommandFormatError
        return {"Settings": [self._set(item) for item in items]}

    def _set(self, item: Keys) -> dict[str, Any]:
        allowed = _OF_EVERYBODY | (_OF_MACS if self.member.hardware.family.is_mac else _OF_PHONES)
        if item["Item"] not in (_OF_EVERYBODY if self.member.is_user_enrollment else allowed):
            return {"Item": item["Item"], **CommandFailed(DOMAIN, 12064, "The setting is not supported.").result}
        application = self.applications.get(str(item.get("Identifier")))
        if application is not None and item["Item"] == "ApplicationConfiguration":
            application.configuration = dict(item.get("Configuration", {}))
        return {"Item": item["Item"], "Status": "Acknowledged"}

    def _clear_passcode(self, keys: Keys) -> dict[str, Any]:
        if needed(keys, "UnlockToken", bytes) != self.member.unlock_token:
            raise CommandFailed(DOMAIN, 12006, "The passcode could not be cleared.")
        self.has_passcode = False
        return {}

    def _schedule_update(self, keys: Keys) -> dict[str, Any]:
        self._is_updating = True
        results = [
            {"ProductKey": facts.PRODUCT_KEY, "InstallAction": needed(update, "InstallAction", str), "Status": "Idle"}
            for update in needed(keys, "Updates", list)
        ]
        return {"UpdateResults": results}

    def _update_status(self, _: Keys) -> dict[str, Any]:
        entry = {"ProductKey": facts.PRODUCT_KEY, "IsDownloaded": False, "DownloadPercentComplete": 0.5}
        return {"OSUpdateStatus": [entry | {"Status": "Downloading"}] if self._is_updating else []}

    def _set_recovery_lock(self, keys: Keys) -> dict[str, Any]:
        if self._recovery_lock and keys.get("CurrentPassword") != self._recovery_lock:
            raise CommandFailed("ROSLockoutServiceDaemonErrorDomain", 8, "The current password is wrong.")
        self._recovery_lock = needed(keys, "NewPassword", str)
        return {}

    def _verify_recovery_lock(self, keys: Keys) -> dict[str, Any]:
        return {"PasswordVerified": needed(keys, "Password", str) == self._recovery_lock != ""}

    @staticmethod
    def _rotate_key(keys: Keys) -> dict[str, Any]:
        needed(keys, "KeyType", str)
        needed(keys, "FileVaultUnlock", dict)
        if "ReplyEncryptionCertificate" not in keys:
            return {}
        return {"RotateResult": {"EncryptedNewRecoveryKey": secrets.token_bytes(64)}}


def _entry(application: Application) -> dict[str, Any]:
    return {
        "Status": application.state,
        "ManagementFlags": 0,
        "HasConfiguration": bool(application.configuration),
        "HasFeedback": False,
        "IsValidated": True,
    }
