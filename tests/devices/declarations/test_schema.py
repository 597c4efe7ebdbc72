"""The tables against both checkouts of Apple's schema: EPMM_APPLE_SCHEMA (18.2), and beside it the newer one."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from devices.protocol.declarations import TYPED, InvalidDeclaration
from devices.protocol.declarations.base import Key, Payload, TypedDeclaration, of
from devices.protocol.declarations.facts import TYPES
from devices.protocol.declarations.reach import EITHER, At, Facts
from devices.protocol.status_items import COLUMNS, LISTS, PERSONAL, STATUS_ITEMS
from devices.protocol.status_lists import read_app
from devices.protocol.support import Channels, Reach
from devices.protocol.target import Platform
from tests import apple_schema

pytestmark = pytest.mark.service("apple-schema")
ENROLLMENTS = [("user", Reach.ANY), ("device", Reach.DEVICE), ("supervised", Reach.SUPERVISED)]
TYPES_OF_KEYS = {"<boolean>", "<integer>", "<string>", "<array>", "<dictionary>", "<any>"}


def folders() -> list[Path]:
    """The older one first: what the newer one says of a type counts."""
    older = apple_schema.folder()
    newer = older.with_name(f"{older.name}-26.4")
    assert newer.is_dir(), f"{newer} is missing"
    return [older, newer]


def schemas(pattern: str, key: str) -> dict[str, dict[str, Any]]:
    found = {}
    for folder in folders():
        for path in sorted(folder.glob(pattern)):
            schema = apple_schema.read(path)
            if key in schema["payload"]:
                found[schema["payload"][key]] = schema
    return found


def at(support: dict[str, Any]) -> At | None:
    if not support or support["introduced"] == "n/a" or "removed" in support:
        return None
    allowed = support.get("allowed-enrollments") or ["user"]
    return At(support["introduced"], next(reach for name, reach in ENROLLMENTS if name in allowed))


def facts_of(schema: dict[str, Any]) -> Facts:
    supported = schema["payload"]["supportedOS"]
    macos = at(supported.get("macOS", {}))
    return Facts(
        ios=at(supported.get("iOS", {})),
        macos=macos,
        visionos=at(supported.get("visionOS", {})),
        channels=channels(supported["macOS"]) if macos else Channels.DEVICE,
    )


def channels(support: dict[str, Any]) -> Channels:
    scopes = support.get("allowed-scopes")
    if scopes is None:
        return EITHER
    found = Channels(0)
    for name, channel in (("system", Channels.DEVICE), ("user", Channels.USER)):
        found |= channel if name in scopes else Channels(0)
    return found


def declarations() -> dict[str, dict[str, Any]]:
    return schemas("declarative/declarations/*/*.yaml", "declarationtype")


def test_the_table_of_declarations_is_apples() -> None:
    assert {name: facts_of(schema) for name, schema in declarations().items()} == TYPES


def test_the_table_of_status_items_is_apples() -> None:
    found = schemas("declarative/status/*.yaml", "statusitemtype")

    assert {name: facts_of(item) for name, item in found.items() if not name.startswith("test.")} == STATUS_ITEMS
    assert COLUMNS.keys() <= found.keys()
    assert found.keys() >= PERSONAL


def test_the_keys_of_typed_declarations_are_apples() -> None:
    found = declarations()
    assert TYPED.keys() <= found.keys()
    for name, declaration in TYPED.items():
        assert list(differences(declaration, found[name]["payloadkeys"], introduced(found[name]["payload"], {}))) == []


def differences(declaration: type[Payload], keys: list[dict[str, Any]], since: Mapping[Platform, str]) -> Iterator[str]:
    known = {of(item).name: of(item) for item in fields(declaration)}
    if known.keys() != {key["key"] for key in keys}:
        yield f"{sorted(known)} are not {sorted(key['key'] for key in keys)}"
        return
    for key in keys:
        assert key["type"] in TYPES_OF_KEYS
        mine, name = known[key["key"]], key["key"]
        if name != "ANY" and mine.required != (key["presence"] == "required"):
            yield f"{name}: required"
        if mine.platforms != platforms(key):
            yield f"{name}: platforms"
        if {each: mine.since[each] for each in mine.since.keys() & mine.platforms} != introduced(key, since):
            yield f"{name}: since"
        if mine.supervised != is_for_supervised(key):
            yield f"{name}: supervised"
        yield from ranges(mine, key)
        nested = [item for item in Payload.__subclasses__() if item.__name__ == name and item is not TypedDeclaration]
        if nested and key["type"] == "<dictionary>":
            yield from differences(nested[0], key["subkeys"], since)


def platforms(key: dict[str, Any]) -> frozenset[Platform]:
    support = key.get("supportedOS", {})
    return frozenset(item for item in Platform if support.get(item.value, {}).get("introduced") != "n/a")


def introduced(told: dict[str, Any], before: Mapping[Platform, str]) -> dict[Platform, str]:
    """Where that is another version than that of what it belongs to."""
    support = told.get("supportedOS", {})
    found = {each: support.get(each.value, {}).get("introduced", "n/a") for each in Platform}
    return {each: version for each, version in found.items() if version not in {"n/a", before.get(each)}}


def is_for_supervised(key: dict[str, Any]) -> bool:
    return bool(key.get("supportedOS", {}).get("iOS", {}).get("allowed-enrollments") == ["supervised"])


def ranges(mine: Key, key: dict[str, Any]) -> Iterator[str]:
    """Accepted at the bounds, refused beyond them; each word of a list accepted."""
    bounds = key.get("range")
    if bounds:
        for value, good in ((bounds["min"], True), (bounds["max"], True), (bounds["max"] + 1, False)):
            if accepts(mine, value) != good:
                yield f"{key['key']}: {value}"
    for word in key.get("rangelist", []):
        if not accepts(mine, word):
            yield f"{key['key']}: {word}"


def accepts(mine: Key, value: object) -> bool:
    try:
        mine.read(mine.name, value)
    except InvalidDeclaration:
        return False
    return True


def part(keys: list[dict[str, Any]], *names: str) -> dict[str, Any]:
    """What stands below: each name is that of a key, or of whatever an array or a dictionary holds."""
    found = next(key for key in keys if key["key"] == names[0])
    return part(found["subkeys"], *names[1:]) if names[1:] else found


def test_states_of_applications_are_spelled_as_answers_spell_them() -> None:
    reported = schemas("declarative/status/*.yaml", "statusitemtype")["mdm.app"]["payloadkeys"]
    answered = schemas("mdm/commands/*.yaml", "requesttype")["ManagedApplicationList"]["responsekeys"]
    states = part(reported, "mdm.app", "status_value", "state")["rangelist"]
    read = [read_app({"identifier": "a", "state": state}) for state in states]

    names = ("ManagedApplicationList", "ANY app identifier", "Status")
    assert [app.state for app in read if app] == part(answered, *names)["rangelist"]


def test_entries_of_the_lists_that_feed_tables_have_an_identifier_and_go_by_removal() -> None:
    items = schemas("declarative/status/*.yaml", "statusitemtype")

    for path in LISTS:
        keys = part(items[path]["payloadkeys"], path, "status_value")["subkeys"]
        assert part(keys, "identifier")["presence"] == "required"
        assert part(keys, "_removed")["type"] == "<boolean>"
