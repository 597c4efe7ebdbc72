import plistlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from enrollment.simulator import profile
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from tests.enrollment.simulator.laboratory import PASSWORD, Answer, Laboratory, Spoil, header

EXAMPLES = Path(__file__).parents[2] / "vectors" / "examples"
Change = Callable[[dict[str, Any]], object]


def example(name: str) -> bytes:
    return (EXAMPLES / f"enrollment-{name}.mobileconfig").read_bytes()


def mdm(keys: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = keys["PayloadContent"][1]
    return found


def scep(keys: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = keys["PayloadContent"][0]["PayloadContent"]
    return found


def set_mdm(key: str, value: Any) -> Change:
    return lambda keys: mdm(keys).__setitem__(key, value)


def set_scep(key: str, value: Any) -> Change:
    return lambda keys: scep(keys).__setitem__(key, value)


def refuse(laboratory: Laboratory, reason: str) -> None:
    device = laboratory.device()
    device.discover()
    device.request_challenge()
    device.token = "token"
    with pytest.raises(DeviceRefused, match=reason):
        device.fetch_profile()
    assert device.profile is None


@pytest.mark.parametrize("name", ["adde-scep", "byod-scep"])
def test_examples_of_the_reference_install(name: str) -> None:
    read = profile.read(example(name), mode=name.partition("-")[0].upper())

    assert read.managed_apple_account == "anna@corp.example"
    assert read.check_in_url == "https://mdm.corp.example/mdm/checkin"
    assert read.scep.subject == ((("O", "Corp Example"),), (("CN", "enroll-7f3a-one-time-reference"),))
    assert read.signer is None
    assert not read.sign_message


def test_profile_of_the_other_mode_is_refused() -> None:
    with pytest.raises(DeviceRefused, match="announced"):
        profile.read(example("byod-scep"), mode="ADDE")


def test_signer_is_known_where_there_is_one(laboratory: Laboratory) -> None:
    signed = profile.read(laboratory.profile_bytes(), mode="ADDE")
    laboratory.signed_profile = False
    bare = profile.read(laboratory.profile_bytes(), mode="ADDE")

    assert signed.signer == laboratory.ra.certificate
    assert bare.signer is None
    assert bare.keys == signed.keys


def test_check_in_goes_to_the_server_url_unless_told_otherwise(laboratory: Laboratory) -> None:
    laboratory.profile_change = lambda keys: mdm(keys).pop("CheckInURL")

    read = profile.read(laboratory.profile_bytes(), mode="ADDE")

    assert read.check_in_url == read.server_url


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (header("Content-Type", "application/xml"), "x-apple-aspen-config"),
        (lambda a: Answer(200, content=a.content.replace(b"anna@mdm", b"eve@mdm!"), headers=a.headers), "signature"),
        (lambda a: Answer(200, content=a.content[:-40], headers=a.headers), "not a CMS message"),
        (lambda a: Answer(200, content=b"", headers=a.headers), "not a CMS message"),
        (lambda a: Answer(200, content=b"<plist>", headers=a.headers), "not a property list"),
        (lambda a: Answer(200, content=plistlib.dumps(["x"]), headers=a.headers), "not a dictionary"),
    ],
)
def test_damaged_answer_is_refused(laboratory: Laboratory, spoil: Spoil, reason: str) -> None:
    laboratory.spoiled["profile"] = spoil

    refuse(laboratory, reason)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_error_instead_of_a_profile_ends_the_enrollment(laboratory: Laboratory, status: int) -> None:
    laboratory.spoiled["profile"] = lambda _: Answer(status)
    device = laboratory.device()
    device.discover()
    device.request_challenge()
    device.sign_in(password=PASSWORD)

    with pytest.raises(TurnedAway) as refusal:
        device.fetch_profile()

    assert refusal.value.status == status


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda k: k.update(PayloadType="com.apple.mdm"), "not Configuration"),
        (lambda k: k.update(PayloadRemovalDisallowed=True), "always remove"),
        (lambda k: k.update(PayloadContent={}), "PayloadContent is not of the type list"),
        (lambda k: k["PayloadContent"].append("x"), "no payload"),
        (lambda k: k.pop("PayloadIdentifier"), "PayloadIdentifier is missing"),
        (lambda k: mdm(k).update(PayloadVersion=2), "PayloadVersion is not 1"),
        (lambda k: mdm(k).update(PayloadVersion=True), "not of the type int"),
        (lambda k: mdm(k).update(PayloadIdentifier=""), "empty"),
        (lambda k: mdm(k).update(PayloadUUID="mdm"), "not a UUID"),
        (lambda k: mdm(k).update(PayloadUUID=k["PayloadUUID"]), "not unique"),
        (lambda k: k["PayloadContent"].pop(), "com.apple.mdm payload"),
        (set_mdm("IdentityCertificateUUID", "00000000-0000-4000-8000-000000000009"), "com.apple.security.scep"),
        (lambda k: mdm(k).update(IdentityCertificateUUID=mdm(k)["PayloadUUID"]), "com.apple.security.scep"),
        (lambda k: mdm(k).pop("EnrollmentMode"), "EnrollmentMode None"),
        (set_mdm("EnrollmentMode", "BYOD"), "EnrollmentMode 'BYOD'"),
        (set_mdm("ManagedAppleID", "anna@corp.example"), "ManagedAppleID"),
        (lambda k: mdm(k).pop("AssignedManagedAppleID"), "AssignedManagedAppleID is missing"),
        (set_mdm("AssignedManagedAppleID", "anna"), "not a Managed Apple Account"),
        (set_mdm("AssignedManagedAppleID", ""), "not a Managed Apple Account"),
        (set_mdm("Topic", "com.example.mgmt"), "Topic"),
        (set_mdm("ServerURL", "http://mdm.example.test/"), "ServerURL"),
        (set_mdm("CheckInURL", "/mdm/checkin"), "CheckInURL"),
        (set_mdm("UseDevelopmentAPNS", True), "UseDevelopmentAPNS"),
        (lambda k: mdm(k).pop("AccessRights"), "AccessRights is missing"),
        (set_mdm("AccessRights", 0), "between 1 and 8191"),
        (set_mdm("AccessRights", 8192), "between 1 and 8191"),
        (set_mdm("AccessRights", 2), "2 without 1"),
        (set_mdm("AccessRights", 128), "128 without 64"),
        (set_mdm("SignMessage", "yes"), "SignMessage"),
        (set_mdm("ServerCapabilities", []), "per-user-connections"),
        (set_mdm("ServerCapabilities", [7]), "no string"),
        (set_scep("URL", "http://mdm.example.test/scep"), "URL of the SCEP"),
        (lambda k: scep(k).pop("Key Type"), "Key Type is missing"),
        (set_scep("Key Type", "EC"), "not RSA"),
        (lambda k: scep(k).update(KeySize=scep(k).pop("Keysize")), "Keysize is missing"),
        (set_scep("Keysize", 1024), "Keysize 1024"),
        (set_scep("Key Usage", 1), "Key Usage"),
        (set_scep("Challenge", ""), "Challenge"),
        (set_scep("Subject", [["CN", "x"]]), "Subject"),
        (set_scep("Subject", ["CN"]), "Subject"),
        (lambda k: k["PayloadContent"][0].update(scep(k), PayloadContent=[]), "PayloadContent is not of the type dict"),
    ],
)
def test_key_that_stops_a_device(laboratory: Laboratory, change: Change, reason: str) -> None:
    laboratory.profile_change = change

    refuse(laboratory, reason)


def test_access_rights_stop_a_user_enrollment(laboratory: Laboratory) -> None:
    laboratory.version = "mdm-byod"
    laboratory.profile_change = lambda keys: mdm(keys).update(AccessRights=8191)

    refuse(laboratory, "AccessRights in a user enrollment")


def test_account_must_be_the_one_the_person_has_with_apple(laboratory: Laboratory) -> None:
    device = laboratory.device(managed_apple_account="bert@mdm.example.test")

    with pytest.raises(DeviceRefused, match="assigns another account: anna@"):
        device.enroll(password=PASSWORD)

    assert laboratory.requests_of("GetCACert") == []


def test_update_may_take_rights_away_and_give_none(laboratory: Laboratory) -> None:
    full = profile.read(laboratory.profile_bytes(), mode="ADDE")
    laboratory.profile_change = lambda keys: mdm(keys).update(AccessRights=1)
    less = profile.read(laboratory.profile_bytes(), mode="ADDE")

    profile.check_update(full, less)
    with pytest.raises(DeviceRefused, match="AccessRights"):
        profile.check_update(less, full)


@pytest.mark.parametrize("key", ["Topic", "ServerURL", "CheckInURL", "AssignedManagedAppleID"])
def test_update_may_not_change_who_manages(laboratory: Laboratory, key: str) -> None:
    old = profile.read(laboratory.profile_bytes(), mode="ADDE")
    laboratory.profile_change = lambda keys: mdm(keys).update({key: mdm(keys)[key].replace("e", "a")})

    with pytest.raises(DeviceRefused, match=key):
        profile.check_update(old, profile.read(laboratory.profile_bytes(), mode="ADDE"))


def test_profile_without_sign_message_relies_on_tls(laboratory: Laboratory) -> None:
    laboratory.profile_change = lambda keys: mdm(keys).update(SignMessage=False)
    device = laboratory.device(Family.MAC)

    device.enroll(password=PASSWORD)

    assert "Mdm-Signature" not in laboratory.requests_of("check-in")[0].headers
