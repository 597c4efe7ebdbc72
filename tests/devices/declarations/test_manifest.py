"""The documents of declarative management, and the tokens that name them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from devices.protocol.declarations import DeclarationKind
from devices.protocol.declarative import read_declaration_endpoint
from devices.protocol.declarative.manifest import Item, declarations_token, render, render_manifest, render_tokens
from epmm.wire.errors import WireError
from tests.recorded import VECTORS


def example(name: str) -> Any:
    return json.loads((VECTORS / f"examples/ddm-{name}.json").read_text())


def rendered(**changes: Any) -> Any:
    values = {"identifier": "p", "type_": "com.apple.management.properties", "payload": {"b": 1, "a": "é"}}
    return render(DeclarationKind.MANAGEMENT, **{**values, **changes})


def test_tokens_are_as_in_the_example() -> None:
    moment = datetime(2026, 11, 22, 11, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))

    assert json.loads(render_tokens(token="b1946ac92492d2347c6235b4d2611184", timestamp=moment)) == example(
        "tokens-response"
    )


def test_a_manifest_is_as_in_the_example() -> None:
    wanted = example("declaration-items-response")
    lists = {
        "Activations": "activation",
        "Configurations": "configuration",
        "Assets": "asset",
        "Management": "management",
    }
    items = [
        Item(lists[name], each["Identifier"], each["ServerToken"])
        for name, listed in wanted["Declarations"].items()
        for each in listed
    ]

    assert json.loads(render_manifest(items, token=wanted["DeclarationsToken"])) == wanted


def test_an_empty_manifest_has_its_four_lists() -> None:
    lists = json.loads(render_manifest([], token="t"))["Declarations"]

    assert lists == {"Activations": [], "Configurations": [], "Assets": [], "Management": []}


def test_a_declaration_carries_the_token_of_the_manifest() -> None:
    made = rendered()

    document = json.loads(made.body)
    assert document == {
        "Type": "com.apple.management.properties",
        "Identifier": "p",
        "Payload": {"a": "é", "b": 1},
        "ServerToken": made.item.server_token,
    }
    assert len(made.item.server_token.encode()) <= 64


@pytest.mark.parametrize(
    "change",
    [{"payload": {"b": 1, "a": "e"}}, {"identifier": "q"}, {"type_": "com.apple.management.organization-info"}],
)
def test_whatever_changes_changes_the_token(change: dict[str, Any]) -> None:
    assert rendered(**change).item.server_token != rendered().item.server_token
    assert rendered(payload={"a": "é", "b": 1}) == rendered()


def test_the_token_of_a_set_is_that_of_its_members_in_any_order() -> None:
    one, two = Item("asset", "a", "1"), Item("asset", "b", "2")

    assert declarations_token([one, two]) == declarations_token([two, one])
    others = [[one], [], [one, two._replace(server_token="3")], [one, two._replace(kind="management")]]
    assert len({declarations_token(each) for each in [*others, [one, two]]}) == 5


def test_an_endpoint_is_split_twice_at_most() -> None:
    found = read_declaration_endpoint("declaration/configuration/with/a/slash")

    assert found == (DeclarationKind.CONFIGURATION, "with/a/slash")


@pytest.mark.parametrize(
    "endpoint",
    ["", "declaration", "declaration/", "declaration/asset", "declaration/asset/", "declaration/secret/a", "x/asset/a"],
)
def test_an_endpoint_that_leads_nowhere(endpoint: str) -> None:
    with pytest.raises(WireError):
        read_declaration_endpoint(endpoint)


def test_the_time_of_tokens_is_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert json.loads(render_tokens(token="t", timestamp=moment))["SyncTokens"]["Timestamp"] == "2026-01-02T03:04:05Z"
