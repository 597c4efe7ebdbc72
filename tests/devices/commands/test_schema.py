"""The classes against Apple's schema: EPMM_APPLE_SCHEMA names a checkout of apple/device-management (18.2)."""

from dataclasses import replace
from typing import Any

import pytest

from devices.protocol.commands import REGISTRY
from devices.protocol.commands.forbidden import FORBIDDEN
from devices.protocol.commands.keys import Form, Key
from devices.protocol.queries import PERSONAL, QUERIES
from devices.protocol.support import Facts, Reach
from devices.protocol.target import Platform
from tests.devices.commands import schema

pytestmark = pytest.mark.service("apple-schema")


def test_every_command_of_apples_is_known() -> None:
    known = {name: made.facts for name, made in REGISTRY.items()} | FORBIDDEN

    assert {name: schema.facts_of(name) for name in schema.schemas()} == known


def test_only_what_no_account_driven_enrollment_may_send_has_no_class() -> None:
    needs = {at.reach for facts in FORBIDDEN.values() for at in map(facts.on, Platform) if at is not None}

    assert needs == {Reach.SUPERVISED, Reach.AUTOMATED, Reach.SHARED_IPAD}
    assert all(facts.on(Platform.MACOS) is None or is_automated(facts) for facts in FORBIDDEN.values())


def is_automated(facts: Facts) -> bool:
    return facts.macos is not None and facts.macos.reach is Reach.AUTOMATED


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_key_is_apples(name: str) -> None:
    ours = {key.name: without_secrets(key) for key in REGISTRY[name].keys}
    theirs = {key.name: key for key in schema.keys_of(name)}

    if name == "DeviceInformation":
        theirs["Queries"] = replace(theirs["Queries"], item=Key(name="", form=Form.TEXT))
    assert ours == theirs


def without_secrets(key: Key) -> Key:
    """Apple's schema does not say what is a secret."""
    item = without_secrets(key.item) if key.item is not None else None
    return replace(key, secret=False, item=item, keys=tuple(map(without_secrets, key.keys)))


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_result_that_carries_something_is_read(name: str) -> None:
    reads = REGISTRY[name].reads

    assert set(reads.keys if reads is not None else ()) == {key["key"] for key in schema.answer_keys(name)}


def test_the_queries_of_device_information_are_apples() -> None:
    theirs = {}
    for query in schema.queries():
        found: dict[str, Any] = {
            item.name.lower(): schema.at(query.get("supportedOS", {}).get(item.value), item) for item in Platform
        }
        theirs[query["key"]] = Facts(**found)

    assert {name: facts for name, facts in theirs.items() if any(map(facts.on, Platform))} == QUERIES
    assert {"UDID", "SerialNumber", "IMEI", "WiFiMAC"} <= PERSONAL
