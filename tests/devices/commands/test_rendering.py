import plistlib
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.protocol import commands
from devices.protocol.commands import AnyRequest, Request
from epmm.wire.errors import WireError

VECTORS = Path(__file__).parents[2] / "vectors" / "examples"
COMMAND_UUID = UUID("a3d0c1b2-4e5f-4a6b-9c7d-8e9f0a1b2c3d")


def rendered(request: Request) -> dict[str, object]:
    command: dict[str, object] = plistlib.loads(commands.render(request, COMMAND_UUID))
    return command


@pytest.mark.parametrize(
    ("vector", "request_"),
    [
        (
            "command-device-information",
            commands.DeviceInformation(
                queries=(
                    "UDID",
                    "SerialNumber",
                    "OSVersion",
                    "BuildVersion",
                    "ModelName",
                    "ProductName",
                    "DeviceName",
                    "IsSupervised",
                )
            ),
        ),
        (
            "command-remove-enrollment-profile",
            commands.RemoveProfile(identifier="example.corp.mdm.enrollment"),
        ),
        (
            "command-declarativemanagement",
            commands.DeclarativeManagement(
                tokens=b'{"SyncTokens": {"Timestamp": "2026-11-22T10:00:00Z", '
                b'"DeclarationsToken": "b1946ac92492d2347c6235b4d2611184"}}'
            ),
        ),
    ],
)
def test_a_command_reads_as_in_the_example(vector: str, request_: Request) -> None:
    assert rendered(request_) == plistlib.loads((VECTORS / f"{vector}.plist").read_bytes())


@pytest.mark.parametrize(
    ("request_", "payload"),
    [
        (commands.SecurityInfo(), {}),
        (commands.ProfileList(), {}),
        (commands.ProfileList(managed_only=True), {"ManagedOnly": True}),
        (commands.CertificateList(), {}),
        (commands.CertificateList(managed_only=True), {"ManagedOnly": True}),
        (commands.InstalledApplicationList(), {}),
        (
            commands.InstalledApplicationList(managed_apps_only=True, identifiers=("a",), items=("Name",)),
            {"ManagedAppsOnly": True, "Identifiers": ["a"], "Items": ["Name"]},
        ),
        (commands.InstallProfile(profile=b"<plist/>"), {"Payload": b"<plist/>"}),
        (commands.DeclarativeManagement(), {}),
        (commands.DeviceLock(), {}),
        (
            commands.DeviceLock(message="Found?", phone_number="112", pin="123456"),
            {"Message": "Found?", "PhoneNumber": "112", "PIN": "123456"},
        ),
        (commands.RestartDevice(), {}),
        (commands.RestartDevice(notify_user=True), {"NotifyUser": True}),
        (commands.EraseDevice(), {}),
        (commands.EraseDevice(pin="123456", preserve_data_plan=True), {"PIN": "123456", "PreserveDataPlan": True}),
        (AnyRequest(request_type="Settings", payload={"Settings": [{"Item": "x"}]}), {"Settings": [{"Item": "x"}]}),
    ],
)
def test_keys_that_were_not_given_stay_out(request_: Request, payload: dict[str, object]) -> None:
    assert rendered(request_)["Command"] == {"RequestType": request_.request_type, **payload}


def test_the_uuid_is_sent_in_capitals() -> None:
    assert rendered(commands.ProfileList())["CommandUUID"] == "A3D0C1B2-4E5F-4A6B-9C7D-8E9F0A1B2C3D"


@pytest.mark.parametrize(
    "request_",
    [
        commands.InstallProfile(profile=b"hidden"),
        commands.DeviceLock(pin="hidden"),
        commands.EraseDevice(pin="hidden"),
        AnyRequest(request_type="SetRecoveryLock", payload={"NewPassword": "hidden"}),
    ],
)
def test_what_a_log_may_show_of_a_command_holds_no_secret(request_: Request) -> None:
    assert "hidden" not in repr(request_)


@pytest.mark.parametrize("value", [None, object(), {1: "x"}, 1 << 65, "\x00", {"nested": [None]}])
def test_what_no_property_list_can_hold_is_refused(value: object) -> None:
    with pytest.raises(WireError):
        commands.render(AnyRequest(request_type="Settings", payload={"Settings": value}), COMMAND_UUID)


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.text(), st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_any_payload_is_rendered_or_refused(name: str, payload: dict[str, object]) -> None:
    try:
        raw = commands.render(AnyRequest(request_type=name, payload=payload), COMMAND_UUID)
    except WireError:
        return
    assert plistlib.loads(raw)["CommandUUID"] == str(COMMAND_UUID).upper()
