"""Status reports: what is read, how it adds up, and what is refused."""

import json
import plistlib
from dataclasses import replace
from typing import Any

import pytest

from devices.protocol.checkin import DeclarativeManagement, decode_checkin
from devices.protocol.commands import Kind, Platform
from devices.protocol.declarations import Capabilities, Holder
from devices.protocol.declarative import status
from devices.protocol.declarative.status import State, StateKey, StatusReport, merge, merge_errors
from devices.protocol.status_items import (
    CAPABILITIES,
    COLUMNS,
    DETAILS,
    LISTS,
    STATUS_ITEMS,
    read_status,
    subscribed,
)
from epmm.wire.errors import WireError
from tests.recorded import VECTORS

EXAMPLE = (VECTORS / "examples/ddm-status-report.json").read_bytes()
IPHONE = Holder(platform=Platform.IOS, kind=Kind.ADDE, os_version="18.2")


def report(items: Any = None, **keys: Any) -> StatusReport:
    return StatusReport.parse(json.dumps({"StatusItems": items or {}, "Errors": [], **keys}).encode())


def apps(*entries: dict[str, Any], **keys: Any) -> StatusReport:
    return report({"mdm": {"app": list(entries)}}, **keys)


def test_the_example_is_read() -> None:
    read = StatusReport.parse(EXAMPLE)

    assert read.full
    assert read.items["device.operating-system.version"] == "18.2"
    assert read.items["passcode.is-compliant"] is True
    assert read.items.keys() == {"device.operating-system.version", "passcode.is-compliant", CAPABILITIES}
    failed = StateKey("configuration", "0B1C2D3E-4F50-4616-8273-849506A7B8C9", "l-2")
    assert (read.states[failed].valid, read.states[failed].active) == ("invalid", False)
    assert read.states[failed].reasons[0]["code"] == "Error.ConfigurationCannotBeApplied"
    assert len(read.states) == 4


def test_a_report_without_its_keys_says_nothing() -> None:
    read = StatusReport.parse(b"\xef\xbb\xbf{}")

    assert (read.items, read.errors, read.states, read.full) == ({}, {}, {}, False)


def test_paths_that_nobody_knows_are_kept_and_values_that_are_objects_stay_whole() -> None:
    read = report(
        {"new": {"thing": {"a": 1}, "empty": {}}, "softwareupdate": {"pending-version": {"os-version": "18.3"}}}
    )

    assert read.items == {"new.thing.a": 1, "new.empty": {}, "softwareupdate.pending-version": {"os-version": "18.3"}}


def test_a_report_in_part_replaces_by_path() -> None:
    before = {
        "passcode.is-present": True,
        "softwareupdate.pending-version": {"os-version": "18.3", "build-version": "x"},
    }

    merged = merge(before, report({"softwareupdate": {"pending-version": {"os-version": "18.4"}}}))

    assert merged == {"passcode.is-present": True, "softwareupdate.pending-version": {"os-version": "18.4"}}


def test_a_full_report_replaces_everything() -> None:
    assert merge({"passcode.is-present": True}, apps({"identifier": "a"}, FullReport=True)) == {
        "mdm.app": [{"identifier": "a"}]
    }


def test_entries_of_lists_come_change_and_go() -> None:
    known: dict[str, Any] = {}
    for told in (
        apps({"identifier": "a", "version": "1"}, {"identifier": "b"}),
        apps({"identifier": "a", "version": "2"}, {"identifier": "c"}),
        apps({"identifier": "b", "_removed": True}, {"identifier": "never there", "_removed": True}),
        apps(),
    ):
        known = merge(known, told)

    assert known["mdm.app"] == [{"identifier": "a", "version": "2"}, {"identifier": "c"}]


@pytest.mark.parametrize("full", [True, False])
def test_the_first_list_has_no_removed_entries(full: bool) -> None:  # noqa: FBT001
    told = apps({"identifier": "a", "_removed": True}, {"identifier": "b", "_removed": False}, FullReport=full)

    assert merge({}, told)["mdm.app"] == [{"identifier": "b", "_removed": False}]


def test_a_list_without_identifiers_is_replaced() -> None:
    assert merge({"x": [1, 2]}, report({"x": [3]})) == {"x": [3]}
    assert merge({"x": [1, 2]}, report({"x": [{"identifier": "a"}]})) == {"x": [{"identifier": "a"}]}


def test_a_device_that_invents_names_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "MOST_ITEMS", 2)
    monkeypatch.setattr(status, "MOST_ENTRIES", 2)

    assert merge({"a": 1, "b": 2}, report({"c": 3})) == {"c": 3}
    assert merge_errors({"a": [], "b": []}, report(Errors=[{"StatusItem": "c"}])) == {"c": []}
    entries = [{"identifier": str(number)} for number in range(3)]
    assert len(merge({"mdm.app": entries[:2]}, apps(entries[2]))["mdm.app"]) == 2
    with pytest.raises(WireError, match="too many"):
        report({"a": 1, "b": 2, "c": 3})


def test_names_do_not_multiply() -> None:
    """Each item would repeat the names that it stands below: 65 KB became 99 MB."""
    longest = {"a" * (status.LONGEST_PATH - 2): {"b": 1}}
    assert len(report(longest).items) == 1
    many = {str(number): 1 for number in range(status.MOST_ITEMS)}

    refused: list[dict[str, Any]] = [
        {"k" * 20_000: many},
        {"a" * (status.LONGEST_PATH - 1): {"b": 1}},
        {"a" * 256: {}},
    ]
    for items in refused:
        with pytest.raises(WireError, match="too long"):
            report(items)


def test_whoever_sends_too_many_is_refused_before_the_rest_is_looked_at() -> None:
    many = {str(number): {"a": 1} for number in range(status.MOST_ITEMS)}
    assert len(report(many).items) == status.MOST_ITEMS
    unseen = {"x": 1, "k" * 20_000: 1}  # the second of these would be refused as too long
    error = {"StatusItem": "a"}
    states = [{"identifier": "a"}] * status.MOST_STATES

    for told in (
        {"StatusItems": many | unseen},
        {"StatusItems": {"management": {"declarations": {"assets": [*states, states[0]]}}}},
        {"Errors": [error] * (status.MOST_ITEMS + 1)},
    ):
        with pytest.raises(WireError, match="too many"):
            StatusReport.parse(json.dumps(told).encode())


@pytest.mark.parametrize("value", ["{}", "[]", "1"])
def test_there_are_not_more_values_than_can_be_read_in_a_moment(value: str) -> None:
    few, many = (",".join([value] * number) for number in (status.MOST_VALUES // 3, status.MOST_VALUES + 1))
    assert StatusReport.parse(f'{{"StatusItems": {{"a": [{few}]}}}}'.encode()).items

    with pytest.raises(WireError, match="too many values"):
        StatusReport.parse(f'{{"StatusItems": {{"a": [{many}]}}}}'.encode())


def test_errors_of_what_cannot_be_an_item_are_passed_over() -> None:
    assert report(Errors=[{"StatusItem": "x" * 256}, {"StatusItem": "a.b"}]).errors == {"a.b": []}


def test_errors_stand_until_their_item_can_be_told() -> None:
    failed = report(Errors=[{"StatusItem": "a.b", "Reasons": [{"Code": "x"}]}, {"StatusItem": "c"}, 7, {}])
    known = merge_errors({}, failed)
    assert known == {"a.b": [{"Code": "x"}], "c": []}

    assert merge_errors(known, report({"a": {"b": 1}})) == {"c": []}
    assert merge_errors(known, report(FullReport=True)) == {}


def test_one_declaration_may_have_two_versions() -> None:
    entries = [
        {"identifier": "p", "server-token": "1", "active": True, "valid": "valid"},
        {"identifier": "p", "server-token": "2", "active": False, "valid": "surprising", "reasons": 7},
        {"identifier": "q", "_removed": True},
        {"identifier": "x" * 65},
        {"identifier": "y", "server-token": "x" * 65},
        {"no": "identifier"},
        "nothing",
    ]

    read = report({"management": {"declarations": {"configurations": entries, "assets": 7}}})

    assert read.states == {
        StateKey("configuration", "p", "1"): State(active=True, valid="valid"),
        StateKey("configuration", "p", "2"): State(active=False, valid="unknown"),
    }
    assert read.removed == {StateKey("configuration", "q", "")}
    assert read.removes(StateKey("configuration", "q", "7"))
    assert not read.removes(StateKey("activation", "q", "7"))
    assert not read.removes(StateKey("configuration", "p", "1"))
    assert read.tells_states
    assert read.items == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"StatusItems": {"a": {"b": 1, "b": 2}}}',
        b'{"StatusItems": {"a": NaN}}',
        b'{"StatusItems": {"a": -Infinity}}',
        b'{"StatusItems": []}',
        b'{"StatusItems": {}, "Errors": {}}',
        b'{"StatusItems": {}, "FullReport": "yes"}',
        b'{"StatusItems": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"StatusItems": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}",
        b'{"StatusItems": {"a": ' + b"9" * 5000 + b"}}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        b'{"a": "' + b"x" * (4 << 20) + b'"}',
    ],
    ids=lambda raw: raw[:30].decode("ascii", "replace"),
)
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        StatusReport.parse(raw)


def test_a_device_with_ten_thousand_applications_is_read() -> None:
    """In a check-in, whose property list breaks the base64 into lines."""
    listed = [{"identifier": f"com.example.application.{n:05}", "name": "x" * 300} for n in range(10_000)]
    raw = json.dumps({"StatusItems": {"app": {"managed": {"list": listed}}}}).encode()
    sent = plistlib.dumps(
        {"MessageType": "DeclarativeManagement", "UDID": "1", "Endpoint": "status", "Data": raw}, fmt=plistlib.FMT_XML
    )
    message = decode_checkin(sent)

    assert len(raw) > 3 << 20
    assert isinstance(message, DeclarativeManagement)
    assert len(StatusReport.parse(message.data or b"").items["app.managed.list"]) == 10_000


def test_text_and_numbers_become_what_a_database_takes() -> None:
    read = StatusReport.parse(b'{"StatusItems": {"a": "\\ud800\\u0000x", "b": 1e999, "c": 99999999999999999999}}')

    assert read.items == {"a": "?x", "b": "inf", "c": "99999999999999999999"}


def test_a_record_takes_what_fits() -> None:
    reading = read_status(
        {
            "device.operating-system.version": "18.2",
            "device.model.identifier": "iPhone17,1",
            "device.identifier.serial-number": "S",
            "device.identifier.udid": "U",
            "passcode.is-compliant": "yes",
            "device.operating-system.build-version": "x" * 33,
            "softwareupdate.install-state": "waiting",
            "mdm.app": [{"identifier": "a"}],
        },
        Kind.ADDE,
    )

    assert reading.fields == {
        "os_version": "18.2",
        "product_name": "iPhone17,1",
        "serial_number": "S",
        "os_update_status": "waiting",
    }
    assert reading.rest == {
        "UDID": "U",
        "passcode.is-compliant": "yes",
        "device.operating-system.build-version": "x" * 33,
    }


def test_a_users_own_device_is_not_recognized() -> None:
    told = {"device.identifier.serial-number": "S", "device.identifier.udid": "U", "passcode.is-present": True}

    assert read_status(told, Kind.AAUE).rest == {}
    assert read_status(told, Kind.AAUE).fields == {"passcode_present": True}


def test_subscriptions_are_what_may_be_asked_and_what_the_device_has() -> None:
    everything = subscribed(IPHONE)
    assert {"softwareupdate.install-state", "passcode.is-compliant", "device.identifier.udid"} <= set(everything)
    assert not {"management.declarations", "diskmanagement.filevault.enabled"} & set(everything)

    own = subscribed(Holder(platform=Platform.IOS, kind=Kind.AAUE, os_version="18.2"))
    assert "softwareupdate.install-state" not in own
    assert "device.identifier.serial-number" not in own
    assert "softwareupdate.device-id" not in subscribed(
        Holder(platform=Platform.IOS, kind=Kind.ADDE, os_version="17.5")
    )
    on_the_user_channel = subscribed(Holder(platform=Platform.MACOS, kind=Kind.ADDE, user_channel=True))
    assert "device.operating-system.version" in on_the_user_channel
    assert "softwareupdate.install-state" not in on_the_user_channel

    assert DETAILS | LISTS | COLUMNS.keys() <= STATUS_ITEMS.keys()  # nobody would ask for it
    told = Capabilities(declarations=frozenset(), status_items=frozenset({"passcode.is-present", "of.another.world"}))
    assert subscribed(Holder(platform=Platform.IOS, kind=Kind.ADDE, capabilities=told)) == ["passcode.is-present"]


def test_what_has_no_place_is_not_asked_for() -> None:
    """Lists of people's accounts and of a Mac's background tasks would be told with each change, for nobody."""
    mac = Holder(platform=Platform.MACOS, kind=Kind.ADDE, os_version="15.2")
    user = replace(mac, user_channel=True)

    assert set(subscribed(IPHONE)) >= LISTS
    assert LISTS & set(subscribed(mac)) == {"security.certificate.list"}
    assert not LISTS & set(subscribed(user))
    asked = {*subscribed(IPHONE), *subscribed(mac), *subscribed(user)}
    assert {name.rpartition(".list")[0] or name for name in STATUS_ITEMS.keys() - asked} == {
        "account",
        "management.client-capabilities",
        "management.declarations",
        "screensharing.connection.group.unresolved-connection",
        "services.background-task",
    }
