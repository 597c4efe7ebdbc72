"""What somebody wrote down for a command, and what is wrong with it."""

from dataclasses import replace
from typing import Any

import pytest

from devices.protocol import commands
from devices.protocol.commands import REGISTRY, Target
from tests.devices.commands.targets import IPHONE, MAC, MAC_USER, OWN_IPHONE, OWN_MAC, OWN_VISION, VISION


def refusal(name: str, target: Target, **payload: object) -> str | None:
    return commands.why_not(commands.by_name(name, payload, target), target)


def setting(target: Target, item: str, **keys: object) -> str | None:
    return refusal("Settings", target, Settings=[{"Item": item, **keys}])


@pytest.mark.parametrize(
    ("name", "target", "payload", "sentence"),
    [
        # keys
        ("DeviceLock", IPHONE, {"Mesage": "x"}, "DeviceLock has no key Mesage. Did you mean Message?"),
        ("RestartDevice", MAC, {"RequestType": "EraseDevice"}, "RestartDevice has no key RequestType."),
        ("DeviceLock", IPHONE, {"Message": 7}, "The key Message of DeviceLock is text."),
        ("DeviceLock", IPHONE, {"PIN": "123456"}, "iOS does not know the key PIN of DeviceLock."),
        ("RestartDevice", MAC, {"NotifyUser": 1}, "The key NotifyUser of RestartDevice is true or false."),
        ("RemoveProfile", MAC, {}, "RemoveProfile needs the key Identifier, which is text."),
        (
            "RotateFileVaultKey",
            MAC,
            {"KeyType": "my", "FileVaultUnlock": {}},
            ("The key KeyType of RotateFileVaultKey is personal or institutional."),
        ),
        (
            "InstallApplication",
            IPHONE,
            {"Identifier": "a", "Attributes": {"Removeable": True}},
            "The key Attributes of InstallApplication has no key Removeable. Did you mean Removable?",
        ),
        (
            "InstallApplication",
            IPHONE,
            {"Identifier": "a", "Attributes": {"AssociatedDomains": ["a.example", 7]}},
            "The key Attributes.AssociatedDomains[1] of InstallApplication is text.",
        ),
        (
            "InstallApplication",
            IPHONE,
            {"Identifier": "a", "Options": {"PurchaseMethod": True}},
            "The key Options.PurchaseMethod of InstallApplication is a whole number.",
        ),
        (
            "InstallApplication",
            IPHONE,
            {"Identifier": "a", "Options": {"PurchaseMethod": 2}},
            "The key Options.PurchaseMethod of InstallApplication is 0 or 1.",
        ),
        (
            "ScheduleOSUpdate",
            MAC,
            {"Updates": [{"ProductVersion": "15.3"}]},
            "The key Updates[0] of ScheduleOSUpdate needs the key InstallAction, which is text.",
        ),
        # what keys mean together
        (
            "InstallApplication",
            IPHONE,
            {},
            "InstallApplication needs one of the keys iTunesStoreID, Identifier and ManifestURL.",
        ),
        (
            "InstallApplication",
            OWN_MAC,
            {"ManifestURL": "http://apps.example"},
            "The key ManifestURL of InstallApplication begins with https:.",
        ),
        (
            "InstallEnterpriseApplication",
            MAC,
            {},
            "InstallEnterpriseApplication needs one of the keys Manifest and ManifestURL.",
        ),
        (
            "InstallEnterpriseApplication",
            MAC,
            {"ManifestURL": "ftp://apps.example"},
            "The key ManifestURL of InstallEnterpriseApplication begins with https:.",
        ),
        (
            "InstallMedia",
            IPHONE,
            {"MediaType": "Book"},
            "InstallMedia needs one of the keys iTunesStoreID and MediaURL.",
        ),
        (
            "RemoveMedia",
            IPHONE,
            {"MediaType": "Book"},
            "RemoveMedia needs one of the keys iTunesStoreID and PersistentID.",
        ),
        (
            "RequestMirroring",
            MAC,
            {"ScanTime": 9},
            "The key ScanTime of RequestMirroring is 10 to 300 seconds.",
        ),
        ("DeleteUser", MAC, {}, "DeleteUser needs the key UserName, which is text."),
        ("DeleteUser", MAC, {"DeleteAllUsers": True}, "macOS does not know the key DeleteAllUsers of DeleteUser."),
        (
            "RotateFileVaultKey",
            MAC,
            {"KeyType": "institutional", "FileVaultUnlock": {"Password": "x"}},
            "RotateFileVaultKey needs the key NewCertificate for an institutional key.",
        ),
        (
            "ScheduleOSUpdate",
            MAC,
            {"Updates": [{"InstallAction": "Default"}]},
            "Each of the Updates of ScheduleOSUpdate needs one of the keys ProductKey and ProductVersion.",
        ),
        ("DeviceLock", MAC, {"PIN": "12345"}, "The PIN of DeviceLock has 6 characters."),
        ("EraseDevice", MAC, {"PIN": ""}, "The PIN of EraseDevice has 6 characters."),
        ("EraseDevice", MAC, {"PIN": 123456}, "The key PIN of EraseDevice is text."),
        (
            "EraseDevice",
            IPHONE,
            {"ReturnToService": {"Enabled": True, "WiFiProfileData": b"x"}},
            "The key ReturnToService of EraseDevice needs the key MDMProfileData: this device cannot enroll itself.",
        ),
        (
            "EraseDevice",
            MAC,
            {"ReturnToService": {"Enabled": True}},
            ("macOS does not know the key ReturnToService of EraseDevice."),
        ),
        # a device of the user's own
        (
            "InstallApplication",
            OWN_IPHONE,
            {"iTunesStoreID": 1},
            "On a user's own device InstallApplication needs Options with PurchaseMethod 1 for an app of the store.",
        ),
        (
            "InstallApplication",
            OWN_IPHONE,
            {"iTunesStoreID": 1, "Options": {"PurchaseMethod": 0}},
            "On a user's own device InstallApplication needs Options with PurchaseMethod 1 for an app of the store.",
        ),
        (
            "InstallApplication",
            OWN_IPHONE,
            {"ManifestURL": "https://a.example", "ChangeManagementState": "Managed"},
            (
                "The key ChangeManagementState of InstallApplication is not allowed on a device that is enrolled as a "
                "user's own."
            ),
        ),
        (
            "InstallApplication",
            OWN_MAC,
            {"ManifestURL": "https://a.example", "InstallAsManaged": True},
            (
                "The key InstallAsManaged of InstallApplication is not allowed on a device that is enrolled as a "
                "user's own."
            ),
        ),
        (
            "InstallEnterpriseApplication",
            OWN_MAC,
            {"ManifestURL": "https://a.example", "ManagementFlags": 1},
            (
                "The key ManagementFlags of InstallEnterpriseApplication is not allowed on a device that is enrolled "
                "as a user's own."
            ),
        ),
        (
            "InstalledApplicationList",
            OWN_IPHONE,
            {"Identifiers": ["a"]},
            "On a user's own device InstalledApplicationList needs ManagedAppsOnly, which is true.",
        ),
        ("Settings", IPHONE, {"Settings": []}, "Settings needs at least one item."),
        ("ScheduleOSUpdate", MAC, {"Updates": []}, "ScheduleOSUpdate needs at least one update."),
        # questions
        ("DeviceInformation", IPHONE, {"Queries": []}, "DeviceInformation needs at least one query."),
        (
            "DeviceInformation",
            IPHONE,
            {"Queries": ["OSversion"]},
            "There is no query OSversion. Did you mean OSVersion?",
        ),
        ("DeviceInformation", IPHONE, {"Queries": [7]}, "The key Queries[0] of DeviceInformation is text."),
        ("DeviceInformation", IPHONE, {"Queries": ["HostName"]}, "iOS does not know the query HostName."),
        (
            "DeviceInformation",
            OWN_IPHONE,
            {"Queries": ["OSVersion", "IMEI"]},
            "The query IMEI is not allowed on a device that is enrolled as a user's own.",
        ),
        (
            "DeviceInformation",
            MAC_USER,
            {"Queries": ["EACSPreflight"]},
            "The query EACSPreflight goes to the Mac, not to one of its users.",
        ),
        (
            "DeviceInformation",
            replace(IPHONE, access_rights=8191 - 32),
            {"Queries": ["WiFiMAC"]},
            "The query WiFiMAC needs the access right 32, which the enrollment profile did not ask for.",
        ),
        (
            "DeviceInformation",
            IPHONE,
            {"Queries": ["DevicePropertiesAttestation"], "DeviceAttestationNonce": b"x" * 33},
            "The key DeviceAttestationNonce of DeviceInformation has at most 32 bytes.",
        ),
    ],
)
def test_a_mistake_is_named_in_one_sentence(name: str, target: Target, payload: dict[str, Any], sentence: str) -> None:
    assert refusal(name, target, **payload) == sentence


@pytest.mark.parametrize(
    ("target", "item", "keys", "sentence"),
    [
        (IPHONE, "Walpaper", {}, "Settings has no Item Walpaper. Did you mean Wallpaper?"),
        (IPHONE, "DataRoaming", {}, "The key Settings[0] of Settings needs the key Enabled, which is true or false."),
        (
            IPHONE,
            "Wallpaper",
            {},
            "The Item Wallpaper of Settings needs a supervised device; account-driven enrollment supervises Macs only.",
        ),
        (
            OWN_IPHONE,
            "DataRoaming",
            {},
            "The Item DataRoaming of Settings is not allowed on a device that is enrolled as a user's own.",
        ),
        (IPHONE, "HostName", {}, "iOS does not know the Item HostName of Settings."),
        (
            IPHONE,
            "SharedDeviceConfiguration",
            {},
            (
                "The Item SharedDeviceConfiguration of Settings is for a Shared iPad, which account-driven enrollment "
                "does not make."
            ),
        ),
        (
            replace(IPHONE, access_rights=2048),
            "PersonalHotspot",
            {"Enabled": True},
            (
                "The Item PersonalHotspot of Settings needs the access right 32, which the enrollment profile did not "
                "ask for."
            ),
        ),
        (
            MAC_USER,
            "ApplicationConfiguration",
            {},
            "The Item ApplicationConfiguration of Settings goes to the Mac, not to one of its users.",
        ),
        (
            replace(IPHONE, os_version=(18, 1)),
            "DefaultApplications",
            {},
            "The Item DefaultApplications of Settings is new in iOS 18.2, and this device has 18.1.",
        ),
    ],
)
def test_a_setting_goes_where_apple_lets_it(target: Target, item: str, keys: dict[str, Any], sentence: str) -> None:
    assert setting(target, item, **keys) == sentence


def test_settings_are_dictionaries_that_say_which_they_are() -> None:
    assert refusal("Settings", IPHONE, Settings=["x"]) == "The key Settings[0] of Settings is a dictionary."
    assert (
        refusal("Settings", IPHONE, Settings=[{}])
        == "The key Settings[0] of Settings needs the key Item, which is text."
    )


@pytest.mark.parametrize(
    ("name", "target", "payload"),
    [
        ("DeviceLock", MAC, {"PIN": "123456", "Message": "Return me", "PhoneNumber": "+49 30 1"}),
        (
            "EraseDevice",
            IPHONE,
            {"ReturnToService": {"Enabled": True, "MDMProfileData": b"x", "WiFiProfileData": b"y"}},
        ),
        ("EraseDevice", IPHONE, {"ReturnToService": {"Enabled": False}}),
        ("EraseDevice", MAC, {"PIN": "123456", "ObliterationBehavior": "DoNotObliterate"}),
        ("InstallApplication", OWN_IPHONE, {"iTunesStoreID": 1, "Options": {"PurchaseMethod": 1}}),
        ("InstallApplication", OWN_VISION, {"ManifestURL": "HTTPS://a.example/m.plist"}),
        (
            "InstallApplication",
            MAC,
            {"Identifier": "a", "InstallAsManaged": True, "Configuration": {"any": [{"x": 1}]}},
        ),
        ("InstallEnterpriseApplication", OWN_MAC, {"Manifest": {"items": []}, "ManifestURLPinningCerts": [b"der"]}),
        ("RequestMirroring", OWN_IPHONE, {"DestinationName": "TV", "ScanTime": 300, "Password": ""}),
        ("SetRecoveryLock", MAC, {"NewPassword": ""}),  # takes the lock away
        ("DeviceInformation", MAC, {"Queries": ["DevicePropertiesAttestation"], "DeviceAttestationNonce": b"x" * 32}),
        (
            "Settings",
            OWN_MAC,
            {"Settings": [{"Item": "OrganizationInfo", "OrganizationInfo": {"OrganizationName": "C"}}]},
        ),
        ("ScheduleOSUpdate", MAC, {"Updates": [{"ProductVersion": "15.3", "InstallAction": "InstallLater"}]}),
    ],
)
def test_what_is_right_goes_out_as_it_was_written_down(name: str, target: Target, payload: dict[str, Any]) -> None:
    request = commands.by_name(name, payload, target)

    assert commands.why_not(request, target) is None
    assert isinstance(request, REGISTRY[name])
    assert request.payload == payload


@pytest.mark.parametrize(
    ("name", "has", "sentence"),
    [
        ("DeviceLock", "1.3", "DeviceLock is new in visionOS 2.0, and this device has 1.3."),
        ("DeviceLock", "2.0", None),
        ("DeviceLock", "10", None),  # versions compare as versions
        ("DeviceLock", "", None),  # what is not known refuses nothing
    ],
)
def test_a_command_that_is_newer_than_the_device_is_refused(name: str, has: str, sentence: str | None) -> None:
    version = tuple(map(int, has.split("."))) if has else None

    assert refusal(name, replace(VISION, os_version=version)) == sentence


def test_a_key_that_is_newer_than_the_device_is_refused() -> None:
    payload = {"Identifier": "a", "Attributes": {"Hideable": False}}

    assert refusal("InstallApplication", replace(IPHONE, os_version=(18, 0)), **payload) == (
        "The key Attributes.Hideable of InstallApplication is new in iOS 18.1, and this device has 18.0."
    )
    assert refusal("InstallApplication", replace(IPHONE, os_version=(18, 1)), **payload) is None


def test_an_inventory_asks_what_the_version_knows_and_the_rights_allow() -> None:
    old = commands.DeviceInformation.for_target(replace(IPHONE, os_version=(16, 0))).queries
    limited = commands.DeviceInformation.for_target(replace(IPHONE, access_rights=16)).queries

    assert "OSVersion" in old
    assert "ModelNumber" not in old
    assert "SerialNumber" in limited
    assert "WiFiMAC" not in limited


@pytest.mark.parametrize("supervised", [True, False, None])
def test_a_device_may_say_that_it_is_supervised(supervised: bool | None) -> None:  # noqa: FBT001
    phone, mac = replace(IPHONE, supervised=supervised), replace(MAC, supervised=supervised)

    assert (refusal("RestartDevice", phone) is None) == (supervised is True)
    assert (refusal("EnableRemoteDesktop", mac) is None) == (supervised is not False)
    assert refusal("RestartDevice", replace(OWN_IPHONE, supervised=supervised)) is not None
