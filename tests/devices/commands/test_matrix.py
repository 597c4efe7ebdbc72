"""What Apple lets an account-driven enrollment send, command by command: facts of our own in `matrix.json`.

They were derived from Apple's schema, which is not part of the product: a word for the oldest system, one for the
enrollments that take it, and the channels of a Mac.  Where the schema is at hand, they are held against it.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from devices.protocol import commands
from devices.protocol.commands import REGISTRY, AnyRequest, Kind, Platform, Target
from devices.protocol.commands.keys import Form, Key
from devices.protocol.support import Channels, Facts
from devices.protocol.target import version_of
from tests.devices.commands import schema
from tests.devices.commands.targets import EVERY

MATRIX: Final[dict[str, dict[str, str]]] = json.loads((Path(__file__).parent / "matrix.json").read_text())
BEFORE_ALL: Final = (0, 9)
SAMPLES: Final[dict[Form, Any]] = {
    Form.TEXT: "sample", Form.DATA: b"sample", Form.NUMBER: 7, Form.FLAG: True, Form.LIST: [], Form.TABLE: {},
    Form.ANY: "",
}  # fmt: skip


def told(facts: Facts) -> dict[str, str]:
    """One line of the matrix."""
    found = {}
    for platform in Platform:
        if (at := facts.on(platform)) is not None:
            on = [name for name in ("device", "user") if Channels[name.upper()] in facts.channels]
            channels = on if platform is Platform.MACOS else ["device"]
            found[platform.value] = " ".join([at.since, at.reach.name.lower(), *channels])
    return found


def allowed(name: str, target: Target) -> bool:
    """By the matrix alone: nothing of ours is asked."""
    _since, reach, *channels = MATRIX[name].get(target.platform.value, "- nowhere").split()
    takes = {
        "any": True,
        "device": target.kind is Kind.ADDE,
        "supervised": target.kind is Kind.ADDE and target.platform is Platform.MACOS,
    }
    return takes.get(reach, False) and ("user" if target.user_channel else "device") in channels


def why_not(name: str, target: Target) -> str | None:
    made = REGISTRY.get(name)
    needed = {key.name: sample(key) for key in made.keys if key.needed} if made is not None else {}
    target = replace(target, access_rights=8191, unlock_token=lambda: b"token")
    return commands.why_not(AnyRequest(request_type=name, payload=needed | BY_HAND.get(name, {})), target)


def sample(key: Key) -> Any:
    if key.values:
        return key.values[0]
    if key.form is Form.LIST and key.item is not None:
        return [sample(key.item)]
    if key.form is Form.TABLE:
        return {each.name: sample(each) for each in key.keys if each.needed}
    return SAMPLES[key.form]


# What belongs together, which no table says.
BY_HAND: Final[dict[str, dict[str, Any]]] = {
    "ClearPasscode": {"UnlockToken": b"token"},
    "DeviceInformation": {"Queries": ["OSVersion"]},
    "InstallApplication": {"iTunesStoreID": 361_309_726, "Options": {"PurchaseMethod": 1}},
    "InstallEnterpriseApplication": {"ManifestURL": "https://apps.example/manifest.plist"},
    "InstallMedia": {"iTunesStoreID": 361_309_726},
    "RemoveMedia": {"PersistentID": "org.example.manual"},
    "InstalledApplicationList": {"ManagedAppsOnly": True},
    "DeleteUser": {"UserName": "anna"},
    "ScheduleOSUpdate": {"Updates": [{"ProductVersion": "15.3", "InstallAction": "InstallASAP"}]},
    "Settings": {"Settings": [{"Item": "OrganizationInfo"}]},
}


@pytest.mark.parametrize("name", sorted(MATRIX))
def test_what_apple_forbids_is_refused_and_what_it_allows_is_not(name: str) -> None:
    for target in EVERY:
        sentence = why_not(name, target)

        assert (sentence is None) == allowed(name, target), f"{target}: {sentence}"
        assert sentence is None or (name in sentence and sentence.endswith(".")), target


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_no_system_is_sent_what_came_later(name: str) -> None:
    for target in filter(lambda each: allowed(name, each), EVERY):
        since, *_ = MATRIX[name][target.platform.value].split()
        major, *minor = version_of(since) or BEFORE_ALL

        assert since in str(why_not(name, replace(target, os_version=(major - 1, *minor)))), target
        assert why_not(name, replace(target, os_version=(99,))) is None, target


def test_as_many_are_allowed_as_the_protocol_notes_count() -> None:
    """So that the rule above is not its own judge."""
    found = {
        (platform.value, kind.value): sum(
            any(allowed(name, each) for each in EVERY if (each.platform, each.kind) == (platform, kind))
            for name in MATRIX
        )
        for platform in Platform
        for kind in Kind
    }

    assert found == {
        ("iOS", "adde"): 30,
        ("iOS", "aaue"): 24,
        ("macOS", "adde"): 47,
        ("macOS", "aaue"): 16,
        ("visionOS", "adde"): 23,
        ("visionOS", "aaue"): 20,
    }


@pytest.mark.service("apple-schema")
def test_the_matrix_is_apples() -> None:
    assert {name: told(schema.facts_of(name)) for name in schema.schemas()} == MATRIX
