import json
from typing import Any

import pytest

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from enrollment.simulator.refusal import DeviceRefused
from tests.enrollment.simulator.laboratory import PASSWORD, Answer, Laboratory

ITEMS: dict[str, Any] = {name: [] for name in ("Activations", "Configurations", "Assets", "Management")}


@pytest.fixture
def device(laboratory: Laboratory) -> SimulatedDevice:
    device = laboratory.device()
    device.enroll(password=PASSWORD)
    return device


def endpoints(laboratory: Laboratory) -> list[str]:
    return [message["Endpoint"] for message in laboratory.check_ins if "Endpoint" in message]


def test_declarations_are_fetched_once_and_reported(laboratory: Laboratory, device: SimulatedDevice) -> None:
    for _ in range(2):
        laboratory.order("DeclarativeManagement")
        device.connect()

    one = "declaration/management/organization"
    assert endpoints(laboratory) == ["tokens", "declaration-items", one, "status", "tokens"]
    report = json.loads(laboratory.check_ins[-2]["Data"])
    (state,) = report["StatusItems"]["management"]["declarations"]["management"]
    assert (state["identifier"], state["server-token"], state["active"]) == ("organization", "o-1", False)
    assert (report["Errors"], report["FullReport"]) == ([], True)


def test_the_second_report_says_only_what_changed(laboratory: Laboratory, device: SimulatedDevice) -> None:
    device.synchronize()

    device.report_status()
    device.report_status(full=True)

    nothing, everything = (json.loads(message["Data"]) for message in laboratory.check_ins[-2:])
    assert (nothing["StatusItems"], nothing["FullReport"]) == ({}, False)
    assert (everything["StatusItems"].keys(), everything["FullReport"]) == ({"management"}, True)


def offering(laboratory: Laboratory, token: str, **items: list[dict[str, str]]) -> None:
    """From now on another set, named by another token."""
    tokens = {"SyncTokens": {"Timestamp": "2026-11-22T11:00:00Z", "DeclarationsToken": token}}
    manifest = {"Declarations": ITEMS | items, "DeclarationsToken": token}
    new = {"tokens": Answer(200, json=tokens), "declaration-items": Answer(200, json=manifest)}
    laboratory.spoiled["check-in"] = lambda answer: new.get(endpoints(laboratory)[-1], answer)


def test_announced_tokens_save_a_round_trip(laboratory: Laboratory, device: SimulatedDevice) -> None:
    tokens = {"SyncTokens": {"Timestamp": "2026-11-22T10:00:00Z", "DeclarationsToken": "t-1"}}

    laboratory.order("DeclarativeManagement", Data=json.dumps(tokens).encode())
    device.connect()

    assert endpoints(laboratory)[0] == "declaration-items"


def test_channels_of_a_mac_synchronize_for_themselves(laboratory: Laboratory) -> None:
    mac = laboratory.device(Family.MAC)
    mac.enroll(password=PASSWORD)
    laboratory.order("DeclarativeManagement")
    mac.connect(Channel.USER)

    assert {message.get("UserID") for message in laboratory.check_ins if "Endpoint" in message} == {
        mac.membership.user_id
    }
    assert mac.declarations[Channel.USER].token == "t-1"
    assert mac.declarations[Channel.DEVICE].token == ""


def test_declaration_that_is_gone_is_dropped(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.spoiled["check-in"] = lambda answer: (
        Answer(404) if endpoints(laboratory)[-1].startswith("declaration/") else answer
    )
    laboratory.order("DeclarativeManagement")

    device.connect()

    assert device.declarations[Channel.DEVICE].held == {}


def test_declaration_that_left_the_manifest_is_dropped(laboratory: Laboratory, device: SimulatedDevice) -> None:
    device.synchronize()
    offering(laboratory, "t-2")

    device.synchronize()

    assert device.declarations[Channel.DEVICE].held == {}


def test_one_token_names_one_set(laboratory: Laboratory, device: SimulatedDevice) -> None:
    device.synchronize()
    offering(laboratory, "t-2")
    device.synchronize()
    offering(laboratory, "t-1")

    with pytest.raises(DeviceRefused, match="one DeclarationsToken for two sets"):
        device.synchronize()


def test_one_server_token_names_one_content(laboratory: Laboratory, device: SimulatedDevice) -> None:
    device.synchronize()
    offering(laboratory, "t-2")
    device.synchronize()
    offering(laboratory, "t-3", Management=[{"Identifier": "organization", "ServerToken": "o-1"}])
    before = laboratory.spoiled["check-in"]
    other = {"Type": "com.apple.management.organization-info", "Identifier": "organization", "ServerToken": "o-1"}
    laboratory.spoiled["check-in"] = lambda answer: (
        Answer(200, json=other | {"Payload": {"Name": "Another"}})
        if endpoints(laboratory)[-1].startswith("declaration/")
        else before(answer)
    )

    with pytest.raises(DeviceRefused, match="one ServerToken for two contents"):
        device.synchronize()


def test_what_a_device_cannot_is_refused_once_it_has_said_so(laboratory: Laboratory, device: SimulatedDevice) -> None:
    held = device.declarations[Channel.DEVICE]
    held.supported -= {"com.apple.management.organization-info"}
    device.synchronize()
    (state,) = json.loads(laboratory.check_ins[-1]["Data"])["StatusItems"]["management"]["declarations"]["management"]
    assert (state["valid"], state["reasons"][0]["code"]) == ("invalid", "Error.ConfigurationNotSupported")
    offering(laboratory, "t-2")
    device.synchronize()
    offering(laboratory, "t-3", Management=[{"Identifier": "organization", "ServerToken": "o-1"}])

    with pytest.raises(DeviceRefused, match="does not support"):
        device.synchronize()


@pytest.mark.parametrize(
    ("endpoint", "answer", "reason"),
    [
        ("tokens", Answer(200), "not application/json"),
        ("tokens", Answer(200, json=[]), "not an object"),
        ("tokens", Answer(200, content=b"{", headers={"Content-Type": "application/json"}), "not JSON"),
        ("tokens", Answer(200, json={}), "SyncTokens"),
        ("tokens", Answer(200, json={"SyncTokens": {"Timestamp": "2026-11-22T10:00:00.5Z"}}), "Timestamp"),
        ("tokens", Answer(200, json={"SyncTokens": {"Timestamp": "2026-11-22T10:00:00Z"}}), "DeclarationsToken"),
        ("declaration-items", Answer(200, json={"DeclarationsToken": "t-1"}), "no Declarations"),
        (
            "declaration-items",
            Answer(200, json={"Declarations": {"Activations": []}, "DeclarationsToken": "t-1"}),
            "Assets of the manifest",
        ),
        ("declaration-items", Answer(200, json={"Declarations": ITEMS, "DeclarationsToken": "t-2"}), "not the one"),
        (
            "declaration-items",
            Answer(
                200,
                json={
                    "Declarations": ITEMS | {"Assets": [{"Identifier": "x" * 65, "ServerToken": "1"}]},
                    "DeclarationsToken": "t-1",
                },
            ),
            "1 to 64 octets",
        ),
        (
            "declaration-items",
            Answer(
                200,
                json={
                    "Declarations": ITEMS | {"Assets": [{"Identifier": "x", "ServerToken": "1"}] * 2},
                    "DeclarationsToken": "t-1",
                },
            ),
            "twice",
        ),
        ("declaration/", Answer(200, json={"Identifier": "organization", "ServerToken": "o-2"}), "not the one of"),
        (
            "declaration/",
            Answer(200, json={"Identifier": "organization", "ServerToken": "o-1", "Payload": {}}),
            "without Type",
        ),
        (
            "declaration/",
            Answer(
                200,
                json={
                    "Identifier": "organization",
                    "ServerToken": "o-1",
                    "Payload": {},
                    "Type": "com.apple.asset.data",
                },
            ),
            "is no management",
        ),
        ("declaration/", Answer(500), "500"),
        ("status", Answer(200, content=b"{}"), "zero bytes"),
    ],
)
def test_answer_that_declares_nothing_is_refused(
    laboratory: Laboratory, device: SimulatedDevice, endpoint: str, answer: Answer, reason: str
) -> None:
    laboratory.spoiled["check-in"] = lambda good: answer if endpoints(laboratory)[-1].startswith(endpoint) else good
    laboratory.order("DeclarativeManagement")

    with pytest.raises(DeviceRefused, match=reason):
        device.connect()
