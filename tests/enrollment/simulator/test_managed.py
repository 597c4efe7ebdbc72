"""What commands change on a simulated device, and what it refuses as a real one does."""

from typing import Any

import pytest

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from tests.enrollment.simulator.laboratory import PASSWORD, Laboratory


class Lab:
    """One device, one command after the other."""

    def __init__(self, laboratory: Laboratory, family: Family) -> None:
        self.laboratory = laboratory
        self.device: SimulatedDevice = laboratory.device(family)
        self.device.enroll(password=PASSWORD)

    def run(self, request_type: str, **keys: Any) -> dict[str, Any]:
        self.laboratory.order(request_type, **keys)
        self.device.connect()
        return self.laboratory.results[-1]


@pytest.fixture
def phone(laboratory: Laboratory) -> Lab:
    return Lab(laboratory, Family.IPHONE)


@pytest.fixture
def mac(laboratory: Laboratory) -> Lab:
    return Lab(laboratory, Family.MAC)


def test_applications_come_and_go(phone: Lab) -> None:
    installed = phone.run("InstallApplication", Identifier="org.example.reader", Configuration={"server": "a"})
    assert (installed["Identifier"], installed["State"]) == ("org.example.reader", "Prompting")
    phone.run("InstallApplication", iTunesStoreID=7, Attributes={"Removable": False})

    managed = phone.run("ManagedApplicationList")["ManagedApplicationList"]
    assert managed["org.example.reader"]["HasConfiguration"] is True
    assert phone.run("ManagedApplicationList", Identifiers=["x"])["ManagedApplicationList"] == {}
    listed = phone.run("InstalledApplicationList", ManagedAppsOnly=True)["InstalledApplicationList"]
    assert [item["Name"] for item in listed] == ["Reader", "Store7"]

    assert phone.run("RemoveApplication", Identifier="org.example.reader")["Status"] == "Acknowledged"
    assert phone.run("RemoveApplication", Identifier="org.example.reader")["Status"] == "Error"
    assert phone.run("InstallApplication")["Status"] == "CommandFormatError"


def test_an_app_waits_for_a_word_of_the_person_and_a_refusal_is_told_once(phone: Lab) -> None:
    def state() -> str | None:
        listed = phone.run("ManagedApplicationList")["ManagedApplicationList"]
        return listed["a"]["Status"] if listed else None

    phone.device.agrees_to_apps = None
    phone.run("InstallApplication", Identifier="a")
    assert [state(), state()] == ["Prompting", "Prompting"]
    assert phone.run("InstalledApplicationList", ManagedAppsOnly=True)["InstalledApplicationList"] == []

    phone.device.agrees_to_apps = False
    assert [state(), state()] == ["UserRejected", None]
    phone.run("InstallApplication", Identifier="a")
    assert phone.run("RemoveApplication", Identifier="a")["Status"] == "Error"

    phone.device.agrees_to_apps = True
    phone.run("InstallApplication", Identifier="a")
    assert [state(), state()] == ["Managed", "Managed"]


def test_on_a_device_of_the_users_own_an_app_of_the_store_needs_a_licence_of_theirs(laboratory: Laboratory) -> None:
    laboratory.version = "mdm-byod"
    own = Lab(laboratory, Family.IPHONE)

    assert own.run("InstallApplication", Identifier="a")["Status"] == "Error"
    licensed = own.run("InstallApplication", Identifier="a", Options={"PurchaseMethod": 1})
    assert licensed["Status"] == "Acknowledged"
    assert own.run("Restrictions")["Status"] == "Error"
    assert own.run("Settings", Settings=[{"Item": "DataRoaming"}])["Settings"][0]["Status"] == "Error"


def test_configuration_and_attributes_of_an_application_are_told(phone: Lab) -> None:
    phone.run("InstallApplication", Identifier="a", Attributes={"Removable": False})
    item = {"Item": "ApplicationConfiguration", "Identifier": "a", "Configuration": {"server": "b"}}
    assert phone.run("Settings", Settings=[item])["Settings"] == [
        {"Item": "ApplicationConfiguration", "Status": "Acknowledged"}
    ]

    configured = phone.run("ManagedApplicationConfiguration", Identifiers=["a", "b"])
    attributes = phone.run("ManagedApplicationAttributes", Identifiers=["a"])
    assert configured["ApplicationConfigurations"] == [{"Identifier": "a", "Configuration": {"server": "b"}}]
    assert attributes["ApplicationAttributes"] == [{"Identifier": "a", "Attributes": {"Removable": False}}]


@pytest.mark.parametrize(
    ("item", "status"), [("DataRoaming", "Acknowledged"), ("Wallpaper", "Error"), ("HostName", "Error")]
)
def test_each_setting_has_its_own_status(phone: Lab, item: str, status: str) -> None:
    answer = phone.run("Settings", Settings=[{"Item": item}])

    assert answer["Status"] == "Acknowledged"
    assert [(entry["Item"], entry["Status"]) for entry in answer["Settings"]] == [(item, status)]
    assert phone.run("Settings", Settings=["x"])["Status"] == "CommandFormatError"


def test_only_its_own_token_clears_the_passcode(phone: Lab) -> None:
    assert phone.run("ClearPasscode", UnlockToken=b"another")["Status"] == "Error"
    assert phone.run("SecurityInfo")["SecurityInfo"]["PasscodePresent"] is True

    assert phone.run("ClearPasscode", UnlockToken=phone.device.membership.unlock_token)["Status"] == "Acknowledged"
    assert phone.run("SecurityInfo")["SecurityInfo"]["PasscodePresent"] is False


def test_a_recovery_lock_is_opened_by_its_password(mac: Lab) -> None:
    assert mac.run("VerifyRecoveryLock", Password="")["PasswordVerified"] is False
    mac.run("SetRecoveryLock", NewPassword="first")
    assert mac.run("VerifyRecoveryLock", Password="first")["PasswordVerified"] is True
    assert mac.run("SetRecoveryLock", NewPassword="second")["Status"] == "Error"
    assert mac.run("SetRecoveryLock", NewPassword="second", CurrentPassword="first")["Status"] == "Acknowledged"
    assert mac.run("VerifyRecoveryLock", Password="first")["PasswordVerified"] is False


def test_a_mac_tells_its_accounts_and_updates(mac: Lab) -> None:
    (user,) = mac.run("UserList")["Users"]
    (update,) = mac.run("AvailableOSUpdates")["AvailableOSUpdates"]
    assert (user["UserName"], user["HasSecureToken"]) == (mac.device.membership.user, True)
    assert mac.run("OSUpdateStatus")["OSUpdateStatus"] == []

    scheduled = mac.run("ScheduleOSUpdate", Updates=[{"ProductVersion": "15.3", "InstallAction": "InstallLater"}])
    assert scheduled["UpdateResults"][0]["ProductKey"] == update["ProductKey"]
    assert mac.run("OSUpdateStatus")["OSUpdateStatus"][0]["Status"] == "Downloading"
    assert mac.run("ScheduleOSUpdateScan")["ScanInitiated"] is True


def test_a_new_recovery_key_comes_back_for_whoever_gave_a_certificate(mac: Lab) -> None:
    keys = {"KeyType": "personal", "FileVaultUnlock": {"Password": "x"}}

    assert "RotateResult" not in mac.run("RotateFileVaultKey", **keys)
    answer = mac.run("RotateFileVaultKey", **keys, ReplyEncryptionCertificate=b"certificate")
    assert isinstance(answer["RotateResult"]["EncryptedNewRecoveryKey"], bytes)


@pytest.mark.parametrize("name", ["UserList", "RestartDevice", "SetRecoveryLock", "ActivationLockBypassCode"])
def test_a_phone_does_not_know_what_only_a_mac_does(phone: Lab, name: str) -> None:
    assert phone.run(name)["ErrorChain"][0]["ErrorCode"] == 12021


@pytest.mark.parametrize("name", ["ClearPasscode", "Restrictions", "ManagedMediaList"])
def test_a_mac_does_not_know_what_only_a_phone_does(mac: Lab, name: str) -> None:
    assert mac.run(name)["ErrorChain"][0]["ErrorCode"] == 12021


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Restrictions", "GlobalRestrictions"),
        ("ManagedMediaList", "Books"),
        ("ProvisioningProfileList", "ProvisioningProfileList"),
        ("ManagedApplicationFeedback", "ManagedApplicationFeedback"),
    ],
)
def test_a_phone_with_nothing_on_it_says_so(phone: Lab, name: str, key: str) -> None:
    assert key in phone.run(name)
