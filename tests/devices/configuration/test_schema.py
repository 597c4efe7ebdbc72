"""The tables against Apple's schema: EPMM_APPLE_SCHEMA names a checkout of apple/device-management (18.2)."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from devices.protocol.commands import Platform
from devices.protocol.configuration_profile.payloads import ONLY_FOR_THE_MAC, ONLY_FOR_USERS, PAYLOADS, Reach
from devices.protocol.configuration_profile.restrictions import PAYLOAD, RESTRICTIONS
from tests import apple_schema

pytestmark = pytest.mark.service("apple-schema")
NO_PAYLOADS = {"TopLevel", "CommonPayloadKeys"}


def schemas() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for path in sorted((apple_schema.folder() / "mdm" / "profiles").glob("*.yaml")):
        schema = apple_schema.read(path)
        if (kind := schema["payload"]["payloadtype"]) not in NO_PAYLOADS:
            yield kind, schema["payload"].get("supportedOS", {}), schema


def reach(support: dict[str, Any]) -> str | None:
    if not support or support.get("introduced") == "n/a" or "removed" in support:
        return None
    assert not support.get("requiresdep")
    assert support.get("sharedipad", {}).get("mode") != "required"
    if support.get("supervised"):
        return "supervised"
    return "device" if support.get("userenrollment", {}).get("mode") == "forbidden" else "anywhere"


def by_reach(found: dict[str, dict[str, Any]]) -> Reach:
    names: defaultdict[str | None, set[str]] = defaultdict(set)
    for name, support in found.items():
        names[reach(support)].add(name)
    return Reach(*(frozenset(names[key]) for key in ("anywhere", "device", "supervised")))


@pytest.mark.parametrize("platform", Platform)
def test_the_payloads_are_apples(platform: Platform) -> None:
    found: dict[str, dict[str, Any]] = {}
    for kind, supported, _ in schemas():
        support = supported.get(platform.value, {})
        if reach(support):
            assert reach(found.get(kind, support)) == reach(support)  # some types have several pages
            found[kind] = support

    assert by_reach(found) == PAYLOADS[platform]


def test_the_channels_of_a_mac_are_apples() -> None:
    everywhere: set[str] = set()
    macs: set[str] = set()
    users: set[str] = set()
    for kind, supported, _ in schemas():
        support = supported.get("macOS", {})
        if reach(support):
            everywhere.add(kind)
            macs |= {kind} if support.get("devicechannel", True) else set()
            users |= {kind} if support.get("userchannel") else set()

    assert everywhere - users == set(ONLY_FOR_THE_MAC)
    assert everywhere - macs == set(ONLY_FOR_USERS)


@pytest.mark.parametrize("platform", Platform)
def test_the_restrictions_are_apples(platform: Platform) -> None:
    (schema, supported) = next((schema, supported) for kind, supported, schema in schemas() if kind == PAYLOAD)
    # what a key does not say, its payload does
    found = {
        key["key"]: supported.get(platform.value, {}) | key.get("supportedOS", {}).get(platform.value, {})
        for key in schema["payloadkeys"]
    }

    assert by_reach(found) == RESTRICTIONS[platform]
