"""What is a profile and what is not, told before anything is stored."""

import plistlib
from datetime import UTC, datetime
from typing import Any

import pytest

from devices.protocol.configuration_profile import LARGEST, ProfileRefused, Scope, read
from tests import pki
from tests.devices.configuration.profiles import IDENTIFIER, PASSWORD, WIFI, payload, profile, uuid, without

SIGNER = pki.issue("Example Corp")


def test_a_plain_profile_is_read() -> None:
    found = read(profile(WIFI, payload("com.apple.applicationaccess", allowCamera=False), PayloadScope="User"))

    assert (found.identifier, found.uuid) == (IDENTIFIER, uuid(IDENTIFIER, 1, 0))
    assert (found.display_name, found.scope, found.signer) == ("Wi-Fi", Scope.USER, None)
    assert [(item.kind, item.restrictions) for item in found.payloads] == [
        ("com.apple.wifi.managed", ()),
        ("com.apple.applicationaccess", ("allowCamera",)),
    ]


def test_without_a_scope_it_is_for_the_device() -> None:
    assert read(profile()).scope is Scope.SYSTEM


def test_a_binary_property_list_is_one_too() -> None:
    assert read(plistlib.dumps(plistlib.loads(profile()), fmt=plistlib.FMT_BINARY)).identifier == IDENTIFIER


@pytest.mark.parametrize("attributes", [True, False])
def test_a_signed_profile_is_kept_as_it_is(*, attributes: bool) -> None:
    raw = pki.sign(profile(), SIGNER, attributes=attributes)

    found = read(raw)

    assert (found.identifier, found.signer, found.raw) == (IDENTIFIER, "Example Corp", raw)


def test_no_value_of_a_payload_is_shown() -> None:
    assert PASSWORD not in repr(read(profile()))


@pytest.mark.parametrize(
    "keys", [{"RemovalDate": datetime(2027, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, {"DurationUntilRemoval": 60.0}]
)
def test_a_profile_that_removes_itself_is_known(keys: dict[str, Any]) -> None:
    assert read(profile(**keys)).removes_itself
    assert not read(profile()).removes_itself


def test_keys_that_are_no_restrictions_are_passed_over() -> None:
    restrictions = payload("com.apple.applicationaccess", **{"allow\ud7ffCamera": True, "PayloadEnabled": True, "": 1})

    assert read(profile(restrictions)).payloads[0].restrictions == ()


@pytest.mark.parametrize("key", ["PayloadType", "PayloadVersion", "PayloadIdentifier", "PayloadUUID"])
def test_what_every_payload_needs_is_missed(key: str) -> None:
    with pytest.raises(ProfileRefused, match=f"The profile has no {key}"):
        read(without(profile(), key))
    with pytest.raises(ProfileRefused, match=f"Payload 1 has no {key}"):
        read(without(profile(), key, payload=True))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "This is not a profile: "),
        (b"no profile", "This is not a profile: "),
        (plistlib.dumps([1]), "This is not a profile: property list is not a dictionary."),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><plist><dict/></plist>', "This is not a profile: "),
        (b"bplist00" + b"\xff" * 64, "This is not a profile: "),
        (b"\x30\x82\x01\x00", "This is not a profile: "),
        (profile() + b" " * LARGEST, "The profile is larger than 1 MiB."),
        (profile(PayloadType="Profile Service"), "its PayloadType is not Configuration"),
        (profile(PayloadVersion=2), "another PayloadVersion than 1"),
        (profile(PayloadVersion="1"), "The profile has a PayloadVersion that does not do"),
        (profile(identifier=" "), "The profile has an empty PayloadIdentifier."),
        (profile(identifier="x" * 256), "PayloadIdentifier: too long"),
        (profile(PayloadUUID="u" * 65), "PayloadUUID: too long"),
        (profile(PayloadUUID=uuid(IDENTIFIER, 1, 1).lower()), "have the same PayloadUUID"),
        (profile(WIFI, payload("com.apple.font", PayloadUUID=uuid(IDENTIFIER, 1, 1))), "have the same PayloadUUID"),
        (profile(payload("com.apple.mdm")), "com.apple.mdm enrolls a device"),
        (profile(PayloadContent=[]), "is not a list of payloads"),
        (profile(PayloadContent=["payload"]), "is not a list of payloads"),
        (profile(PayloadContent={}), "PayloadContent: expected list"),
        (profile(PayloadScope="Everyone"), "neither System nor User"),
        (profile(IsEncrypted=True), "An encrypted profile is for one device"),
        (profile(EncryptedPayloadContent=b"x"), "An encrypted profile is for one device"),
        (profile(PayloadDisplayName=7), "PayloadDisplayName: expected str"),
    ],
)
def test_what_is_no_profile_is_refused_with_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(ProfileRefused) as refused:
        read(raw)

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


def altered(raw: bytes) -> bytes:
    return raw.replace(b"Corp</string>", b"Evil</string>")


def signed_by_another() -> bytes:
    info = pki.signer_info(profile(), pki.Identity(SIGNER.certificate, pki.ec_key(number=7)))
    return pki.signed_data(profile(), [info], [SIGNER])


@pytest.mark.parametrize(
    "raw",
    [
        altered(pki.sign(profile(), SIGNER)),
        signed_by_another(),
        pki.signed_data(profile(), [pki.signer_info(profile(), SIGNER)], []),
        pki.signed_data(profile(), [], [SIGNER]),
        pki.sign(profile(), SIGNER, detached=True),
        pki.sign(profile(), pki.issue("Old", key=pki.rsa_key()), digest="md5"),
    ],
    ids=["altered", "another key", "no certificate", "no signer", "detached", "MD5"],
)
def test_a_signature_that_is_not_valid_is_refused(raw: bytes) -> None:
    with pytest.raises(ProfileRefused, match="The signature of the profile is not valid"):
        read(raw)


def test_what_is_signed_must_be_a_profile() -> None:
    with pytest.raises(ProfileRefused, match="This is not a profile"):
        read(pki.sign(b"no profile", SIGNER))
