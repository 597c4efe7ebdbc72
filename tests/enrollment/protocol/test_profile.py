"""The enrollment profile against Apple's schema and against the examples of the protocol reference."""

import plistlib
import re
from typing import Any

import pytest

from enrollment.protocol.profile import EnrollmentProfile, Scep
from tests import apple_schema
from tests.recorded import VECTORS

TOPIC = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"
TYPE_NAME = {
    "<string>": "str",
    "<integer>": "int",
    "<boolean>": "bool",
    "<array>": "list",
    "<data>": "bytes",
    "<dictionary>": "dict",
}


def profile(kind: str, **changes: Any) -> EnrollmentProfile:
    values: dict[str, Any] = {
        "kind": kind,
        "identifier": "example.corp.mdm.enrollment",
        "reference": "r1",
        "organization": "Corp Example",
        "managed_apple_account": "anna@corp.example",
        "topic": TOPIC,
        "server_url": "https://mdm.corp.example/mdm/connect",
        "checkin_url": "https://mdm.corp.example/mdm/checkin",
        "access_rights": 8191 if kind == "adde" else None,
        "sign_message": True,
        "scep": Scep(url="https://mdm.corp.example/scep", challenge="one-time", common_name="r1"),
    }
    return EnrollmentProfile(**{**values, **changes})


def read(kind: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    top = plistlib.loads(profile(kind).render())
    scep, mdm = top["PayloadContent"]
    return top, scep, mdm


def test_account_driven_device_enrollment() -> None:
    _top, scep, mdm = read("adde")

    assert (mdm["EnrollmentMode"], mdm["AccessRights"]) == ("ADDE", 8191)
    assert mdm["AssignedManagedAppleID"] == "anna@corp.example"
    assert mdm["IdentityCertificateUUID"] == scep["PayloadUUID"]
    assert "com.apple.mdm.per-user-connections" in mdm["ServerCapabilities"]
    assert mdm["CheckOutWhenRemoved"] is True


def test_user_enrollment_carries_no_access_rights() -> None:
    _top, _scep, mdm = read("aaue")

    assert mdm["EnrollmentMode"] == "BYOD"
    assert "AccessRights" not in mdm


def test_scep_keys_have_apples_odd_spelling() -> None:
    settings = read("adde")[1]["PayloadContent"]

    assert settings["Key Type"] == "RSA"
    assert settings["Keysize"] == 2048
    assert settings["Key Usage"] == 5
    assert settings["KeyIsExtractable"] is False


def test_a_repeated_download_is_the_same_and_another_profile_is_not() -> None:
    assert profile("adde").render() == profile("adde").render()
    first, second = (plistlib.loads(profile("adde", reference=name).render()) for name in ("r1", "r2"))
    assert first["PayloadUUID"] != second["PayloadUUID"]
    assert first["PayloadIdentifier"] == second["PayloadIdentifier"]


def test_every_payload_uuid_is_unique() -> None:
    top, scep, mdm = read("adde")

    assert len({top["PayloadUUID"], scep["PayloadUUID"], mdm["PayloadUUID"]}) == 3


@pytest.mark.parametrize("kind", ["adde", "byod"])
def test_it_has_the_keys_of_the_example(kind: str) -> None:
    """The example server answers GetToken, and keeps bootstrap tokens of somebody's own device; ours does neither."""
    example = plistlib.loads((VECTORS / f"examples/enrollment-{kind}-scep.mobileconfig").read_bytes())
    top, scep, mdm = read("adde" if kind == "adde" else "aaue")
    example_scep, example_mdm = example["PayloadContent"]

    assert set(example) <= set(top)
    assert set(example_scep["PayloadContent"]) <= set(scep["PayloadContent"])
    assert set(example_mdm) == set(mdm)
    left_out = {"com.apple.mdm.token"} | ({"com.apple.mdm.bootstraptoken"} if kind == "byod" else set())
    assert set(mdm["ServerCapabilities"]) == set(example_mdm["ServerCapabilities"]) - left_out


@pytest.mark.service("apple-schema")
@pytest.mark.parametrize("kind", ["adde", "aaue"])
def test_it_agrees_with_apples_schema(kind: str) -> None:
    top, scep, mdm = read(kind)

    check(top, "TopLevel", skip={"PayloadContent"})
    check(mdm, "com.apple.mdm")
    check(scep, "com.apple.security.scep")


def check(payload: dict[str, Any], name: str, skip: frozenset[str] | set[str] = frozenset()) -> None:
    """Known keys, required keys, types, value lists and formats, nested dictionaries included."""
    folder = apple_schema.folder() / "mdm/profiles"
    schema = apple_schema.read(folder / f"{name}.yaml")["payloadkeys"]
    common = apple_schema.read(folder / "CommonPayloadKeys.yaml")["payloadkeys"]
    keys = {item["key"]: item for item in [*common, *schema]}
    check_keys({key: value for key, value in payload.items() if key not in skip}, keys)


def check_keys(values: dict[str, Any], keys: dict[str, Any]) -> None:
    assert set(values) <= set(keys), f"unknown: {set(values) - set(keys)}"
    for name, definition in keys.items():
        if name not in values:
            assert definition.get("presence") != "required" or name == "PayloadContent", name
            continue
        value: Any = values[name]
        assert TYPE_NAME[definition["type"]] == type(value).__name__, name
        if "rangelist" in definition:
            assert value in definition["rangelist"], name
        if "format" in definition:
            assert re.search(definition["format"], value), name
        if definition["type"] == "<dictionary>" and definition.get("subkeys"):
            check_keys(value, {item["key"]: item for item in definition["subkeys"]})
