"""What a device says about itself, as values: devices/protocol/inventory.py and installed.py."""

import plistlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.protocol import installed, inventory
from devices.protocol.commands import REGISTRY, Kind
from devices.protocol.inventory import DEVICE_INFORMATION
from devices.protocol.reading import Reading
from epmm.wire import plist

VECTORS = Path(__file__).parents[2] / "vectors"


def device(kind: Kind = Kind.ADDE, **told: object) -> Reading:
    return inventory.read_device_information({"QueryResponses": told}, kind)


def security(**told: object) -> Reading:
    return inventory.read_security_info({"SecurityInfo": told}, Kind.ADDE)


def test_the_answer_of_an_iphone() -> None:
    answer = plist.load_dict((VECTORS / "examples" / "command-result-acknowledged.plist").read_bytes())

    assert inventory.read_device_information(answer, Kind.ADDE) == Reading(
        fields={
            "serial_number": "TESTSERIAL01",
            "os_version": "18.2",
            "build_version": "22C150",
            "model_name": "iPhone",
            "product_name": "iPhone17,1",
            "device_name": "Anna's iPhone",
            "is_supervised": False,
        },
        rest={"UDID": "00008140-000A1B2C3D4E5F60"},
    )


def test_the_recorded_answer_of_a_mac_keeps_what_has_no_column() -> None:
    answer = plist.load_dict((VECTORS / "nanomdm" / "DeviceInformation.1.plist").read_bytes())

    assert inventory.read_device_information(answer, Kind.ADDE) == Reading(
        fields={}, rest={"HostName": "fruit.example.com", "UDID": "66ADE930-5FDF-5EC4-8429-15640684C489"}
    )


def test_of_a_users_own_device_nothing_is_kept_that_recognizes_it() -> None:
    reading = device(
        Kind.AAUE,
        UDID="udid",
        SerialNumber="serial",
        IMEI="1",
        WiFiMAC="00:11:22:33:44:55",
        ServiceSubscriptions=[{"IMEI": "1"}],
        OSVersion="18.2",
        TimeZone="Europe/Berlin",
    )

    assert reading == Reading(fields={"os_version": "18.2"}, rest={"TimeZone": "Europe/Berlin"})


@pytest.mark.parametrize("told", ["00:1a:2B:33:44:55", "00-1A-2B-33-44-55", "001a2b334455"])
def test_hardware_addresses_are_twelve_digits(told: str) -> None:
    assert device(WiFiMAC=told).fields == {"wifi_mac": "001A2B334455"}


@pytest.mark.parametrize(
    "told",
    [
        {"WiFiMAC": "00:11:22:33:44"},
        {"WiFiMAC": "00:11:22:33:44:5G"},
        {"OSVersion": 18},
        {"OSVersion": "1" * 33},
        {"DeviceName": "a\ud800"},
        {"IsSupervised": 1},
        {"BatteryLevel": -1.0},
        {"BatteryLevel": 1.5},
        {"BatteryLevel": "full"},
        {"DeviceCapacity": -64.0},
        {"CellularTechnology": 1 << 15},
        {"CellularTechnology": True},
        {"SerialNumber": ["C02"]},
    ],
)
def test_a_value_that_does_not_fit_is_kept_aside(told: dict[str, object]) -> None:
    reading = inventory.read_device_information({"QueryResponses": told}, Kind.ADDE)

    assert reading.fields == {}
    assert reading.rest.keys() == told.keys()


@pytest.mark.parametrize("told", [float("inf"), float("nan")])
def test_a_number_that_is_none_is_kept_aside(told: float) -> None:
    assert device(DeviceCapacity=told) == Reading(fields={}, rest={"DeviceCapacity": str(told)})


def test_whole_numbers_are_numbers_too() -> None:
    assert device(DeviceCapacity=128, BatteryLevel=1).fields == {"storage_capacity": 128.0, "battery_level": 1.0}


def test_the_sim_that_carries_the_data_tells_what_the_device_no_longer_does() -> None:
    voice = {"IMEI": "11 111111 111111 1", "PhoneNumber": "+49 1", "IsDataPreferred": False}
    data = {
        "IMEI": "22 222222 222222 2",
        "ICCID": "8949 0200",
        "PhoneNumber": "+49 2",
        "CurrentCarrierNetwork": "Carrier",
        "IsRoaming": True,
        "IsDataPreferred": True,
        "Slot": "CTSubscriptionSlotTwo",
    }
    reading = device(ServiceSubscriptions=[voice, data], PhoneNumber="", IMEI="33")

    assert reading.fields == {
        "imei": "33",
        "iccid": "89490200",
        "phone_number": "+49 2",
        "current_carrier": "Carrier",
        "is_roaming": True,
    }
    assert reading.rest == {"ServiceSubscriptions": [voice, data]}


@pytest.mark.parametrize(
    ("told", "home", "current"),
    [
        ({"SubscriberMCC": "262", "SubscriberMNC": "01", "CurrentMCC": "228", "CurrentMNC": "01"}, "DE", "CH"),
        ({"ServiceSubscriptions": [{"CurrentMCC": "232", "IsRoaming": False}]}, "AT", "AT"),
        ({"CurrentMCC": "232", "IsRoaming": True}, None, "AT"),
        ({"CurrentMCC": "425", "CurrentMNC": "05"}, None, "PS"),
        ({"CurrentMCC": "310", "CurrentMNC": "999"}, None, "US"),
        ({"CurrentMCC": "65535", "IsRoaming": False}, None, ""),
        ({"CurrentMCC": "", "SubscriberMCC": "²62"}, None, ""),
        ({"CurrentMCC": 262, "SubscriberMCC": "901"}, None, ""),
    ],
)
def test_networks_tell_countries(told: dict[str, Any], home: str | None, current: str) -> None:
    fields = device(**told).fields

    assert (fields.get("home_country"), fields["current_country"]) == (home, current)
    mcc = told.get("CurrentMCC", "232")
    assert fields.get("current_mcc", "") == (mcc if current else "")


def test_without_a_preferred_sim_the_first_counts() -> None:
    assert device(ServiceSubscriptions=["x", {"IMEI": "1"}, {"IMEI": "2"}]).fields == {"imei": "1"}


def test_credentials_are_not_kept() -> None:
    assert device(PushToken=b"secret").rest == {}
    assert security(FDE_PersonalRecoveryKeyCMS=b"secret", FDE_PersonalRecoveryKeyDeviceKey="C02").rest == {}


def test_the_state_of_security() -> None:
    reading = security(
        HardwareEncryptionCaps=3,
        PasscodePresent=True,
        PasscodeCompliant=True,
        PasscodeCompliantWithProfiles=False,
        FDE_Enabled=True,
        SystemIntegrityProtectionEnabled=True,
        ManagementStatus={"IsUserEnrollment": False, "UserApprovedEnrollment": True},
        SecureBoot={"SecureBootLevel": "full"},
    )

    assert reading.fields == {
        "hardware_encryption": 3,
        "passcode_present": True,
        "passcode_is_compliant": True,
        "passcode_is_compliant_with_profiles": False,
        "filevault_enabled": True,
        "system_integrity_protection": True,
        "is_user_enrollment": False,
    }
    assert reading.rest == {
        "ManagementStatus": {"IsUserEnrollment": False, "UserApprovedEnrollment": True},
        "SecureBoot": {"SecureBootLevel": "full"},
    }


@pytest.mark.parametrize("answer", [{}, {"QueryResponses": []}, {"SecurityInfo": 7}])
def test_an_answer_without_content_says_nothing(answer: dict[str, object]) -> None:
    assert inventory.read_device_information(answer, Kind.ADDE) == Reading(fields={}, rest={})
    assert inventory.read_security_info(answer, Kind.AAUE) == Reading(fields={}, rest={})


def test_applications() -> None:
    item = {
        "Identifier": "com.example.app",
        "Name": "Example",
        "Version": "7",
        "ShortVersion": "1.2",
        "BundleSize": 1 << 40,
        "DynamicSize": -1,
        "IsValidated": True,
    }
    answer = {"InstalledApplicationList": [item, {"Name": "nameless"}, "text", {"Identifier": "x" * 256}]}

    (application,) = installed.read_applications(answer)

    assert application == installed.Application(
        identifier="com.example.app",
        name="Example",
        version="7",
        short_version="1.2",
        bundle_size=1 << 40,
        dynamic_size=None,
        details={"DynamicSize": -1, "IsValidated": True},
    )


def test_profiles() -> None:
    item = {
        "PayloadIdentifier": "com.example.wifi",
        "PayloadUUID": "1-2",
        "PayloadDisplayName": "Wi-Fi",
        "IsManaged": True,
        "SignerCertificates": [b"large"],
        "PayloadContent": [{"PayloadType": "com.apple.wifi.managed"}],
    }

    (profile, odd) = installed.read_profiles(
        {"ProfileList": [item, {"PayloadIdentifier": "odd", "IsManaged": 1}, {"PayloadIdentifier": ""}]}
    )

    assert profile == installed.Profile(
        identifier="com.example.wifi",
        profile_uuid="1-2",
        display_name="Wi-Fi",
        is_managed=True,
        details={"PayloadContent": [{"PayloadType": "com.apple.wifi.managed"}]},
    )
    assert (odd.is_managed, odd.details) == (None, {"IsManaged": 1})


def certificate(not_after: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2026, 1, 1, tzinfo=UTC), not_after)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_certificates() -> None:
    first, second = installed.read_certificates(
        {
            "CertificateList": [
                {"CommonName": "MDM", "IsIdentity": True, "Data": b"der"},
                {"Data": b"", "IsIdentity": "yes"},
                {"CommonName": "without data"},
            ]
        }
    )

    assert (first.common_name, first.is_identity, first.der) == ("MDM", True, b"der")
    assert first.sha256 == "5050d80d22ecd471ea55df7034042c1e041341ff4066e7f6ff38e20b720df8ea"
    assert (second.common_name, second.is_identity) == ("", False)


def test_the_expiry_of_a_certificate_that_can_be_read() -> None:
    not_after = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert installed.expiry(certificate(not_after)) == not_after
    assert installed.expiry(b"no certificate") is None


WORDS = st.sampled_from(
    [
        *DEVICE_INFORMATION,
        *inventory.SECURITY_INFO,
        "Identifier",
        "PayloadIdentifier",
        "Data",
        "ManagementStatus",
        "UserName",
        "ProductKey",
        "State",
        "Status",
        "UID",
        "EncryptedNewRecoveryKey",
    ]
)
READ = sorted({key for made in REGISTRY.values() if made.reads is not None for key in made.reads.keys})
LEAVES = (
    st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=300)
    | st.binary(max_size=20)
    | st.datetimes(timezones=st.just(UTC))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=6),
    max_leaves=20,
)
ANSWERS = st.dictionaries(
    st.sampled_from([*READ, "Other"]),
    VALUES | st.lists(st.dictionaries(WORDS, LEAVES, max_size=6), max_size=4) | st.dictionaries(WORDS, VALUES),
)


@settings(deadline=None)
@given(ANSWERS, st.sampled_from(Kind))
def test_no_answer_is_an_error(answer: dict[str, object], kind: Kind) -> None:
    for made in REGISTRY.values():
        if (reading := made.read(answer, kind)) is not None:
            plist.to_json(reading.rest)  # is JSON already
    for application in installed.read_applications(answer):
        assert application.identifier
    for profile in installed.read_profiles(answer):
        assert profile.identifier
    for item in installed.read_certificates(answer):
        installed.expiry(item.der)


def test_reading_an_answer_does_not_change_it() -> None:
    raw = plistlib.dumps({"ProfileList": [{"PayloadIdentifier": "a", "IsManaged": True}]})
    answer = plist.load_dict(raw)

    installed.read_profiles(answer)

    assert answer == plist.load_dict(raw)
