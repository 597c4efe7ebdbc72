"""What may be declared, and where: typed payloads, all other types by their structure."""

import json
from dataclasses import replace
from typing import Any

import pytest

from devices.protocol.commands import Kind, Platform
from devices.protocol.declarations import (
    Capabilities,
    DeclarationKind,
    Holder,
    InvalidDeclaration,
    check_identifier,
    checked,
    kind_of,
    why_not,
)
from devices.protocol.declarations.legacy import read_profile
from devices.protocol.declarations.reach import is_older
from tests import pki
from tests.devices.configuration.profiles import payload, profile
from tests.recorded import VECTORS

IPHONE = Holder(platform=Platform.IOS, kind=Kind.ADDE, os_version="18.2")
MAC = Holder(platform=Platform.MACOS, kind=Kind.ADDE, os_version="15.2")
OWN = replace(IPHONE, kind=Kind.AAUE)
OWN_MAC = replace(MAC, kind=Kind.AAUE)
ENFORCE = "com.apple.configuration.softwareupdate.enforcement.specific"
UPDATES = "com.apple.configuration.softwareupdate.settings"
PASSCODE = "com.apple.configuration.passcode.settings"
MAIL = "com.apple.configuration.account.mail"


@pytest.mark.parametrize("path", sorted((VECTORS / "examples").glob("ddm-*.json")), ids=lambda path: path.stem)
def test_the_examples_are_declarations_or_documents(path: Any) -> None:
    example = json.loads(path.read_text())

    if "Type" in example:
        assert checked(example["Type"], example["Payload"]) == example["Payload"]
    else:
        assert example.keys() & {"SyncTokens", "Declarations", "StatusItems"}


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (PASSCODE, {"MinimumLength": 6, "RequireComplexPasscode": True, "MaximumInactivityInMinutes": 0}),
        (PASSCODE, {"CustomRegex": {"Regex": "^.{8}$", "Description": {"default": "Eight", "de-DE": "Acht"}}}),
        (UPDATES, {"Beta": {"OfferPrograms": [{"Description": "Seed", "Token": "t"}]}, "RecommendedCadence": "Newest"}),
        (UPDATES, {"Beta": {"ProgramEnrollment": "AlwaysOn", "RequireProgram": {"Description": "Seed", "Token": "t"}}}),
        (
            "com.apple.asset.data",
            {"Reference": {"DataURL": "https://a.example/d", "Size": 3}, "Authentication": {"Type": "MDM"}},
        ),
        ("com.apple.management.organization-info", {"Name": "Example", "URL": "https://a.example", "Proof": {}}),
        ("com.apple.management.properties", {"anything": [1, {"at": "all"}]}),
        (MAIL, {"structure": ["is", "all", "that", "is", "checked"]}),
    ],
)
def test_what_apple_describes_stays_as_it_was_written(name: str, payload: dict[str, Any]) -> None:
    assert checked(name, payload) == payload


@pytest.mark.parametrize(
    ("name", "payload", "sentence"),
    [
        ("com.apple.configuration.passcode.setting", {}, "Did you mean com.apple.configuration.passcode.settings?"),
        ("nonsense", {}, "There is no declaration nonsense."),
        (MAIL, ["no", "dictionary"], "Payload is a dictionary."),
        (PASSCODE, {"MinimumLenght": 6}, "There is no key MinimumLenght. Did you mean MinimumLength?"),
        (PASSCODE, {"Xyz": 6}, "There is no key Xyz."),
        (PASSCODE, {"MinimumLength": 17}, "MinimumLength is a whole number from 0 to 16."),
        (PASSCODE, {"MinimumLength": True}, "MinimumLength is a whole number"),
        (PASSCODE, {"RequirePasscode": 1}, "RequirePasscode is true or false."),
        (PASSCODE, {"FailedAttemptsResetInMinutes": 5}, "works with MaximumFailedAttempts only"),
        (PASSCODE, {"CustomRegex": {}}, "The key CustomRegex.Regex is missing."),
        (PASSCODE, {"CustomRegex": {"Regex": "x" * 2049}}, "at most 2048"),
        (PASSCODE, {"CustomRegex": {"Regex": "x", "Description": {"klingon!": "y"}}}, "languages"),
        (ENFORCE, {"TargetOSVersion": "18.2"}, "The key TargetLocalDateTime is missing."),
        (ENFORCE, {"TargetOSVersion": "18.2", "TargetLocalDateTime": "2026-12-01T19:00:00Z"}, "without a zone"),
        (ENFORCE, {"TargetOSVersion": "18.2", "TargetLocalDateTime": "2026-12-01T19:00:00+01:00"}, "without a zone"),
        (ENFORCE, {"TargetOSVersion": "18.2", "TargetLocalDateTime": "2026-13-01T19:00:00"}, "without a zone"),
        (ENFORCE, {"TargetOSVersion": "eighteen", "TargetLocalDateTime": "2026-12-01T19:00:00"}, "a version such as"),
        (
            ENFORCE,
            {"TargetOSVersion": "18.2", "TargetLocalDateTime": "2026-12-01T19:00:00", "DetailsURL": "http://a.example"},
            "begins with https://",
        ),
        (UPDATES, {"RecommendedCadence": "Never"}, "one of All, Oldest, Newest"),
        (UPDATES, {"Beta": {"OfferPrograms": {}}}, "Beta.OfferPrograms is a list."),
        (UPDATES, {"Beta": {"OfferPrograms": [{"Token": "t"}]}}, "Beta.OfferPrograms[0].Description is missing"),
        (UPDATES, {"Beta": {"RequireProgram": {"Description": "a", "Token": "t"}}}, "AlwaysOn only"),
        (UPDATES, {"Beta": {"OfferPrograms": [], "ProgramEnrollment": "AlwaysOff"}}, "does not work with"),
        (
            UPDATES,
            {"Beta": {"OfferPrograms": [], "RequireProgram": {"Description": "a", "Token": "t"}}},
            "either OfferPrograms or",
        ),
        ("com.apple.configuration.management.status-subscriptions", {"StatusItems": [{}]}, "StatusItems[0].Name"),
        ("com.apple.management.organization-info", {"Name": ""}, "Name is text of 1 to 4096 characters."),
        ("com.apple.activation.simple", {"StandardConfigurations": [1]}, "StandardConfigurations[0] is text"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(name: str, payload: Any, sentence: str) -> None:
    with pytest.raises(InvalidDeclaration) as refusal:
        checked(name, payload)

    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "payload", "holder", "sentence"),
    [
        (ENFORCE, None, OWN, "not allowed on a device that is enrolled as a user's own"),
        (ENFORCE, None, replace(IPHONE, os_version="16.7.10"), "needs iOS 17.0; this device has 16.7.10."),
        (ENFORCE, None, replace(MAC, user_channel=True), "goes to the Mac, not to one of its users"),
        (ENFORCE, None, replace(IPHONE, user_channel=True), "Only a Mac has users"),
        (MAIL, None, MAC, "goes to a user of the Mac"),
        (PASSCODE, None, OWN_MAC, "enrolled as a user's own"),
        ("com.apple.configuration.watch.enrollment", None, IPHONE, "needs a supervised device"),
        ("com.apple.configuration.diskmanagement.settings", None, IPHONE, "iOS does not know"),
        (PASSCODE, {"ChangeAtNextAuth": True}, IPHONE, "iOS does not know the key ChangeAtNextAuth."),
        (
            PASSCODE,
            {"CustomRegex": {"Regex": "a"}},
            replace(MAC, os_version="13.6"),
            "The key CustomRegex needs macOS 14.0; this device has 13.6.",
        ),
        (PASSCODE, {"MaximumPasscodeAgeInDays": 9}, replace(IPHONE, os_version="16.1"), "needs iOS 16.2"),
        (UPDATES, {"RecommendedCadence": "All"}, MAC, "macOS does not know the key RecommendedCadence."),
        (UPDATES, {"Deferrals": {"CombinedPeriodInDays": 3}}, IPHONE, "The key Deferrals needs a supervised device"),
        (
            UPDATES,
            {"Beta": {"ProgramEnrollment": "Allowed"}},
            IPHONE,
            "The key Beta.ProgramEnrollment needs a supervised",
        ),
        (UPDATES, {"Deferrals": {"CombinedPeriodInDays": 3}}, MAC, "know the key Deferrals.CombinedPeriodInDays"),
    ],
)
def test_what_cannot_work_there_is_said_before(
    name: str, payload: dict[str, Any] | None, holder: Holder, sentence: str
) -> None:
    assert sentence in (why_not(name, payload, holder) or "nothing")


@pytest.mark.parametrize(
    ("name", "payload", "holder"),
    [
        (ENFORCE, None, IPHONE),  # unsupervised, where the command does not work
        (ENFORCE, None, MAC),
        (ENFORCE, None, replace(IPHONE, os_version="")),
        (PASSCODE, {"MinimumLength": 6}, OWN),
        (PASSCODE, {"MaximumPasscodeAgeInDays": 9}, replace(IPHONE, os_version="16.2")),
        (PASSCODE, {"ChangeAtNextAuth": True}, replace(MAC, user_channel=True)),
        (UPDATES, {"Deferrals": {"MajorPeriodInDays": 3}}, MAC),
        (UPDATES, {"Beta": {"OfferPrograms": []}}, IPHONE),
        (MAIL, None, replace(MAC, user_channel=True)),
        ("com.apple.configuration.diskmanagement.settings", None, MAC),
    ],
)
def test_what_works_there_is_not_refused(name: str, payload: dict[str, Any] | None, holder: Holder) -> None:
    assert why_not(name, payload, holder) is None


def test_what_a_device_has_said_counts_more_than_the_schema() -> None:
    said = {"supported-payloads": {"declarations": {"configurations": [PASSCODE, 7]}, "status-items": ["a"]}}
    holder = replace(IPHONE, capabilities=Capabilities.read(said))

    assert why_not(PASSCODE, {}, holder) is None
    assert why_not(ENFORCE, None, holder) == f"{ENFORCE} is not supported by this device."


@pytest.mark.parametrize(
    "said", [None, {}, [], {"supported-payloads": 7}, {"supported-payloads": {"declarations": []}}]
)
def test_capabilities_that_say_nothing_forbid_nothing(said: object) -> None:
    assert Capabilities.read(said) is None


@pytest.mark.parametrize(
    ("version", "wanted", "older"),
    [
        ("16.9.9", "17.0", True),
        ("17", "17.0", False),
        ("17.0", "17", False),
        ("9.3", "15.0", True),
        ("26.0", "18.2", False),
        ("", "15.0", False),
        ("beta", "15.0", False),
    ],
)
def test_versions_compare_as_versions(version: str, wanted: str, older: bool) -> None:  # noqa: FBT001
    assert is_older(version, wanted) is older


@pytest.mark.parametrize("identifier", ["", "a/b", "a b", ".a", "é", "x" * 65, "a\n"])
def test_an_identifier_fits_into_an_endpoint(identifier: str) -> None:
    check_identifier("passcode.2026_v-1")
    with pytest.raises(InvalidDeclaration):
        check_identifier(identifier)


def test_the_kind_stands_in_the_type() -> None:
    assert kind_of("com.apple.asset.data") is DeclarationKind.ASSET
    assert kind_of("com.apple.management.properties") is DeclarationKind.MANAGEMENT


def test_a_profile_may_be_signed() -> None:
    raw = profile()

    assert read_profile(raw).payloads == read_profile(pki.sign(raw, pki.authority())).payloads


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "not a profile"),
        (profile(PayloadType="com.apple.wifi.managed"), "PayloadType"),
        (profile(payload("com.apple.mdm")), "com.apple.mdm"),
        (profile(payload("com.apple.declarations")), "may not contain com.apple.declarations"),
    ],
)
def test_a_profile_that_may_not_be_declared(raw: bytes, sentence: str) -> None:
    with pytest.raises(InvalidDeclaration, match=sentence):
        read_profile(raw)
