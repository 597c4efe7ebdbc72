from dataclasses import replace

import pytest

from devices.protocol import commands
from devices.protocol.commands import REGISTRY, AnyRequest, Target, why_not
from devices.protocol.commands.forbidden import FORBIDDEN
from tests.devices.commands.targets import EVERY, IPHONE, MAC, MAC_USER, OWN_IPHONE, OWN_MAC, OWN_VISION, VISION


def refusal(name: str, target: Target, **payload: object) -> str | None:
    return why_not(AnyRequest(request_type=name, payload=payload), target)


@pytest.mark.parametrize(
    ("name", "target", "sentence"),
    [
        ("ProfileListe", IPHONE, "There is no command ProfileListe. Did you mean ProfileList?"),
        ("", IPHONE, "There is no command ."),
        ("SetRecoveryLock", IPHONE, "iOS does not know SetRecoveryLock."),
        ("ClearPasscode", MAC, "macOS does not know ClearPasscode."),
        ("ManagedMediaList", VISION, "visionOS does not know ManagedMediaList."),
        ("LogOutUser", IPHONE, "LogOutUser is for a Shared iPad, which account-driven enrollment does not make."),
        ("UserConfigured", IPHONE, "UserConfigured needs Automated Device Enrollment."),
        ("AccountConfiguration", MAC, "AccountConfiguration needs Automated Device Enrollment."),
        (
            "EnableLostMode",
            IPHONE,
            "EnableLostMode needs a supervised device; account-driven enrollment supervises Macs only.",
        ),
        ("EraseDevice", OWN_IPHONE, "EraseDevice is not allowed on a device that is enrolled as a user's own."),
        ("DeviceLock", OWN_MAC, "DeviceLock is not allowed on a device that is enrolled as a user's own."),
        ("EnableLostMode", OWN_IPHONE, "EnableLostMode is not allowed on a device that is enrolled as a user's own."),
        (
            "InstalledApplicationList",
            OWN_MAC,
            "InstalledApplicationList is not allowed on a device that is enrolled as a user's own.",
        ),
        ("ProfileList", replace(IPHONE, user_channel=True), "Only a Mac has users to send ProfileList to."),
        ("DeviceLock", MAC_USER, "DeviceLock goes to the Mac, not to one of its users."),
        ("NSExtensionMappings", MAC, "NSExtensionMappings goes to a user of the Mac, not to the Mac itself."),
        (
            "EraseDevice",
            replace(IPHONE, access_rights=8191 - 8),
            "EraseDevice needs the access right 8, which the enrollment profile did not ask for.",
        ),
        ("RemoveProfile", IPHONE, "RemoveProfile needs the key Identifier, which is text."),
        ("InstallProfile", IPHONE, "InstallProfile needs the key Payload, which is data."),
        ("Settings", IPHONE, "Settings needs the key Settings, which is an array."),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(name: str, target: Target, sentence: str) -> None:
    assert refusal(name, target) == sentence


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("DeviceLock", IPHONE),
        ("DeviceLock", OWN_IPHONE),
        ("DeviceLock", OWN_VISION),
        ("DeviceLock", MAC),
        ("RestartDevice", MAC),
        ("EnableRemoteDesktop", MAC),  # needs supervision, which a Mac has
        ("EraseDevice", VISION),
        ("ProfileList", MAC_USER),
        ("NSExtensionMappings", MAC_USER),
        ("ProfileList", replace(OWN_IPHONE, access_rights=0)),  # ignored there
        ("ProvisioningProfileList", replace(MAC, access_rights=1)),  # the schema names no right for a Mac
        ("DeclarativeManagement", replace(IPHONE, access_rights=1)),  # needs none
    ],
)
def test_what_can_work_is_let_through(name: str, target: Target) -> None:
    assert refusal(name, target) is None


@pytest.mark.parametrize("value", [7, None, b"data", ["list"]])
def test_a_needed_key_of_the_wrong_type_is_missing(value: object) -> None:
    assert refusal("RemoveProfile", IPHONE, Identifier=value) is not None


def test_the_enrollment_profile_can_be_removed_whatever_the_access_rights() -> None:
    bare = replace(IPHONE, access_rights=1)

    assert refusal("RemoveProfile", bare, Identifier="ours") is None
    assert refusal("RemoveProfile", bare, Identifier="another") is not None
    assert refusal("RemoveProfile", replace(bare, profile_identifier=""), Identifier="") is not None


@pytest.mark.parametrize(
    ("request_", "target", "removes"),
    [
        (commands.RemoveProfile(identifier="ours"), IPHONE, True),
        (commands.RemoveProfile(identifier="another"), IPHONE, False),
        (commands.RemoveProfile(identifier="ours"), replace(MAC_USER, profile_identifier="ours"), False),
        (commands.RemoveProfile(identifier=""), replace(IPHONE, profile_identifier=""), False),
        (AnyRequest(request_type="ProfileList", payload={"Identifier": "ours"}), IPHONE, False),
    ],
)
def test_only_removing_our_own_profile_ends_management(
    request_: commands.Request,
    target: Target,
    removes: bool,  # noqa: FBT001
) -> None:
    assert commands.removes_enrollment(request_, target) == removes


@pytest.mark.parametrize("target", EVERY)
def test_every_command_gets_an_answer_everywhere(target: Target) -> None:
    for name in [*REGISTRY, *FORBIDDEN]:
        sentence = refusal(name, target)
        assert sentence is None or sentence.endswith(".")


WHOLE = ["DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList"]
WITHOUT_APPLICATIONS = [name for name in WHOLE if name != "InstalledApplicationList"]


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (IPHONE, WHOLE),
        (MAC, WHOLE),
        (VISION, WHOLE),
        (OWN_IPHONE, WHOLE),
        (OWN_MAC, WITHOUT_APPLICATIONS),
        (replace(IPHONE, access_rights=8191 - 256), WITHOUT_APPLICATIONS),
    ],
)
def test_a_new_enrollment_is_asked_what_its_kind_and_platform_allow(target: Target, names: list[str]) -> None:
    assert [request.request_type for request in commands.first_inventory(target)] == names


def test_on_a_device_of_their_own_people_keep_their_apps_to_themselves() -> None:
    requests = {request.request_type: request.payload for request in commands.first_inventory(OWN_IPHONE)}

    assert requests["InstalledApplicationList"] == {"ManagedAppsOnly": True}


def test_a_command_by_name_is_what_epmm_itself_would_ask() -> None:
    assert "OSVersion" in commands.by_name("DeviceInformation", None, MAC).payload["Queries"]
    assert commands.by_name("InstalledApplicationList", None, OWN_IPHONE).payload == {"ManagedAppsOnly": True}
    assert commands.by_name("ProfileList", None, MAC).payload == {}


def test_a_command_by_name_carries_the_payload_that_was_written_down() -> None:
    request = commands.by_name("DeviceInformation", {"Queries": ["UDID"]}, MAC)

    assert (request.request_type, request.payload) == ("DeviceInformation", {"Queries": ["UDID"]})
