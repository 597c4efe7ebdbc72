"""Apple's schema, read from the checkout that EPMM_APPLE_SCHEMA names: what our classes should say, and samples."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from devices.protocol.commands.keys import Form, Key
from devices.protocol.support import At, Channels, Facts, Reach, Right
from devices.protocol.target import Platform
from tests import apple_schema

RIGHTS: Final = {
    "AllowInspection": Right.INSPECT,
    "AllowInstallationRemoval": Right.INSTALL,
    "AllowPasscodeRemovalAndLock": Right.LOCK,
    "DeviceLockAndRemovePasscode": Right.LOCK,
    "AllowDeviceErase": Right.ERASE,
    "AllowQueryDeviceInformation": Right.DEVICE_INFORMATION,
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
    "n/a": None,
    "None": None,
    None: None,
}
FORMS: Final = {
    "<string>": Form.TEXT,
    "<data>": Form.DATA,
    "<integer>": Form.NUMBER,
    "<boolean>": Form.FLAG,
    "<array>": Form.LIST,
    "<dictionary>": Form.TABLE,
    "<any>": Form.ANY,
}
SAMPLES: Final[dict[str, Any]] = {
    "<string>": "sample",
    "<data>": b"sample",
    "<integer>": 7,
    "<real>": 0.5,
    "<boolean>": True,
    "<date>": datetime(2026, 11, 22, 10, tzinfo=UTC),
    "<any>": "sample",
}


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """By request type."""
    folder = apple_schema.folder() / "mdm" / "commands"
    found = map(apple_schema.read, sorted(folder.glob("*.yaml")))
    return {schema["payload"]["requesttype"]: schema for schema in found}


def payload_keys(name: str) -> list[dict[str, Any]]:
    return schemas()[name].get("payloadkeys") or []


def answer_keys(name: str) -> list[dict[str, Any]]:
    return schemas()[name].get("responsekeys") or []


def queries() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = payload_keys("DeviceInformation")[0]["subkeys"][0]["subkeys"]
    return found


def at(support: dict[str, Any] | None, platform: Platform, *, part: bool = True) -> At | None:
    """A part of a command that says nothing of a platform is there as long as the command is."""
    if not support:
        return At() if part else None
    if support.get("introduced") == "n/a" or "removed" in support:
        return None
    return At(
        support.get("introduced", ""),
        reach(support),
        RIGHTS[support.get("accessrights")],
        on_user_channel=not part or platform is not Platform.MACOS or support.get("userchannel", True),
    )


def reach(support: dict[str, Any]) -> Reach:
    if support.get("sharedipad", {}).get("mode") == "required":
        return Reach.SHARED_IPAD
    if support.get("requiresdep"):
        return Reach.AUTOMATED
    if support.get("supervised"):
        return Reach.SUPERVISED
    return Reach.DEVICE if support.get("userenrollment", {}).get("mode") == "forbidden" else Reach.ANY


def facts_of(name: str) -> Facts:
    supported = schemas()[name]["payload"]["supportedOS"]
    ios, macos, visionos = (at(supported.get(item.value), item, part=False) for item in Platform)
    found = Channels(0)
    if supported.get("macOS", {}).get("devicechannel", True):
        found |= Channels.DEVICE
    if supported.get("macOS", {}).get("userchannel"):
        found |= Channels.USER
    return Facts(ios=ios, macos=macos, visionos=visionos, channels=found if macos else Channels.DEVICE)


def keys_of(name: str) -> tuple[Key, ...]:
    """Without what DeviceInformation may ask, which is a table of its own."""
    facts = facts_of(name)
    return tuple(key_of(key, facts) for key in payload_keys(name))


def key_of(key: dict[str, Any], facts: Facts, *, is_item: bool = False) -> Key:
    form, parts = FORMS[key["type"]], key.get("subkeys") or []
    several = form is Form.LIST and len(parts) > 1  # the kinds of dictionary that it may hold
    table = form is Form.TABLE and [part["key"] for part in parts] != ["ANY"]
    return Key(
        name="" if is_item else key["key"],
        form=form,
        needed=not is_item and key.get("presence") == "required",
        values=tuple(key.get("rangelist", ())),
        item=_choice(parts, facts) if several else _item(parts, facts) if form is Form.LIST else None,
        keys=tuple(key_of(part, facts) for part in parts) if table else (),
        **_limits(key, facts),
    )


def _item(parts: list[dict[str, Any]], facts: Facts) -> Key:
    return key_of({**parts[0], "supportedOS": {}}, facts, is_item=True)


def _choice(parts: list[dict[str, Any]], facts: Facts) -> Key:
    items = tuple(key_of({**part, "presence": "optional"}, facts) for part in parts)
    return Key(name="", form=Form.TABLE, keys=items, choice=True)


def _limits(key: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Where the command is unknown, its keys say nothing."""
    supported = key.get("supportedOS") or {}
    return {
        item.name.lower(): at(supported.get(item.value), item) if facts.on(item) is not None else At()
        for item in Platform
    }


def sample(key: dict[str, Any]) -> Any:
    """A value that the schema allows."""
    parts = key.get("subkeys") or []
    if key.get("rangelist"):
        return key["rangelist"][0]
    match key["type"]:
        case "<array>":
            return [sample(parts[0])] if parts else []
        case "<dictionary>":
            return {_name(part): sample(part) for part in parts}
        case _:
            return SAMPLES[key["type"]]


def _name(key: dict[str, Any]) -> str:
    return "org.example.sample" if key["key"].startswith("ANY") else str(key["key"])
