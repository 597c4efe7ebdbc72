"""The tables against Apple's schema: EPMM_APPLE_SCHEMA names a checkout of apple/device-management (18.2)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devices.protocol.commands.base import Platform
from devices.protocol.commands.facts import FACTS, NO_RIGHT_ON_MACOS, Channels, Facts, Reach, Right
from devices.protocol.commands.queries import ANY_ENROLLMENT, DEVICE_ENROLLMENT, NOT_ON_USER_CHANNEL

pytestmark = pytest.mark.service("apple-schema")

RIGHTS = {
    "AllowInspection": Right.INSPECT,
    "AllowInstallationRemoval": Right.INSTALL,
    "AllowPasscodeRemovalAndLock": Right.LOCK,
    "DeviceLockAndRemovePasscode": Right.LOCK,
    "AllowDeviceErase": Right.ERASE,
    "AllowQueryNetworkInformation": Right.NETWORK_INFORMATION,
    "AllowProvisioningInspection": Right.INSPECT_PROVISIONING,
    "AllowProvisioningInstallationRemoval": Right.INSTALL_PROVISIONING,
    "AllowQueryApplications": Right.APPLICATIONS,
    "QueryInstalledApps": Right.APPLICATIONS,
    "AllowQueryRestrictions": Right.RESTRICTIONS,
    "AllowQuerySecurity": Right.SECURITY,
    "AllowSettings": Right.SETTINGS,
    "AllowAppInstallation": Right.APP_MANAGEMENT,
    "Special Case": None,  # DeviceInformation: by query
    "None": None,
    None: None,
}
TYPES = {"<string>": str, "<array>": list, "<data>": bytes, "<dictionary>": dict}


def schemas() -> Iterator[dict[str, Any]]:
    for path in sorted((Path(os.environ["EPMM_APPLE_SCHEMA"]) / "mdm" / "commands").glob("*.yaml")):
        yield yaml.safe_load(path.read_text())


def reach(support: dict[str, Any]) -> Reach | None:
    if not support or support.get("introduced") == "n/a" or "removed" in support:
        return None
    if support.get("requiresdep"):
        return Reach.AUTOMATED
    if support.get("sharedipad", {}).get("mode") == "required":
        return Reach.SHARED_IPAD
    if support.get("supervised"):
        return Reach.SUPERVISED
    return Reach.DEVICE if support.get("userenrollment", {}).get("mode") == "forbidden" else Reach.ANY


def channels(support: dict[str, Any]) -> Channels:
    found = Channels(0)
    if support.get("devicechannel", True):
        found |= Channels.DEVICE
    if support.get("userchannel"):
        found |= Channels.USER
    return found


def facts_of(schema: dict[str, Any]) -> Facts:
    supported = schema["payload"]["supportedOS"]
    ios, macos = supported.get("iOS", {}), supported.get("macOS", {})
    first = ios if reach(ios) else macos
    return Facts(
        ios=reach(ios),
        macos=reach(macos),
        visionos=reach(supported.get("visionOS", {})),
        right=RIGHTS[first.get("accessrights")],
        channels=channels(macos) if reach(macos) else Channels.DEVICE,
        needs={
            key["key"]: TYPES[key["type"]] for key in schema.get("payloadkeys", []) if key.get("presence") == "required"
        },
    )


def test_the_table_of_commands_is_apples() -> None:
    assert {schema["payload"]["requesttype"]: facts_of(schema) for schema in schemas()} == FACTS


def test_rights_that_a_mac_does_not_ask_for_are_apples() -> None:
    without = set()
    for schema in schemas():
        supported, name = schema["payload"]["supportedOS"], schema["payload"]["requesttype"]
        macos = supported.get("macOS", {})
        if reach(macos) and FACTS[name].right and RIGHTS[macos.get("accessrights")] is None:
            without.add(name)
    assert without == NO_RIGHT_ON_MACOS


def test_the_queries_of_device_information_are_apples() -> None:
    schema = next(item for item in schemas() if item["payload"]["requesttype"] == "DeviceInformation")
    queries = schema["payloadkeys"][0]["subkeys"][0]["subkeys"]
    for platform in Platform:
        support = {query["key"]: query.get("supportedOS", {}).get(platform.value, {}) for query in queries}
        # a query that names nothing for a platform is there since the beginning
        by_reach = {name: reach(item) if item else Reach.ANY for name, item in support.items()}
        assert {name for name, found in by_reach.items() if found is Reach.ANY} == set(ANY_ENROLLMENT[platform])
        assert {name for name, found in by_reach.items() if found is Reach.DEVICE} == set(DEVICE_ENROLLMENT[platform])
        no_user = {name for name, item in support.items() if item.get("userchannel") is False}
        assert no_user == (NOT_ON_USER_CHANNEL if platform is Platform.MACOS else set())
