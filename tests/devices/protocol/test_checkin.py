import json
import plistlib
from pathlib import Path
from typing import Any

import pytest

from devices.protocol.bootstrap import render_bootstrap_token
from devices.protocol.checkin import (
    Authenticate,
    CheckinMessage,
    CheckOut,
    DeclarativeManagement,
    GetBootstrapToken,
    GetToken,
    Sender,
    SetBootstrapToken,
    TokenUpdate,
    UserAuthenticate,
    decode_checkin,
    has_message_type,
)
from devices.protocol.sender import SHARED_IPAD_USER
from epmm.wire.errors import WireError

VECTORS = Path(__file__).parents[2] / "vectors"
TOPIC = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"
PHONE, MAC = "00008140-000A1B2C3D4E5F60", "6C1F7E0A-93B4-5C0E-8E1B-2D9A4F7C1B33"
BYOD = "5B0F6B0C-2E0B-4B3E-9E36-7C1C1F6D7A11"

AUTHENTICATE = {"MessageType": "Authenticate", "UDID": PHONE, "Topic": TOPIC}
TOKEN_UPDATE = {"MessageType": "TokenUpdate", "UDID": PHONE, "Topic": TOPIC, "Token": b"t", "PushMagic": "m"}


def example(name: str) -> CheckinMessage:
    return decode_checkin((VECTORS / f"examples/checkin-{name}.plist").read_bytes())


def decode(message: dict[str, Any]) -> CheckinMessage:
    return decode_checkin(plistlib.dumps(message))


def test_a_phone_introduces_itself() -> None:
    assert example("authenticate-adde-ios") == Authenticate(
        sender=Sender(udid=PHONE),
        topic=TOPIC,
        os_version="18.2",
        build_version="22C150",
        product_name="iPhone17,1",
        serial_number="TESTSERIAL01",
        imei="000000000000000",
    )


def test_a_mac_introduces_itself() -> None:
    assert example("authenticate-adde-macos") == Authenticate(
        sender=Sender(udid=MAC),
        topic=TOPIC,
        os_version="15.2",
        build_version="24C101",
        product_name="Mac15,3",
        serial_number="TESTSERIAL02",
        device_name="Anna's Mac",
        model="Mac15,3",
        model_name="MacBook Pro",
    )


def test_a_user_enrollment_has_its_own_identifier_and_no_serial_number() -> None:
    message = example("authenticate-byod-ios")

    assert isinstance(message, Authenticate)
    assert (message.sender, message.serial_number) == (Sender(enrollment_id=BYOD), "")
    assert message.sender.device_key == BYOD


def test_a_token_update_brings_push_credentials() -> None:
    message = example("tokenupdate-adde-ios")

    assert message == TokenUpdate(
        sender=Sender(udid=PHONE),
        topic=TOPIC,
        token=bytes(range(32)),
        push_magic="D1E2F3A4-0000-4000-8000-000000000001",
        unlock_token=b"opaque-unlock-token",
    )


def test_a_token_update_without_unlock_token_says_nothing_about_it() -> None:
    message = decode(TOKEN_UPDATE | {"AwaitingConfiguration": True})

    assert isinstance(message, TokenUpdate)
    assert (message.unlock_token, message.awaiting_configuration) == (None, True)


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("adde-macos", Sender(udid=MAC, user_key="F17C470A-3ADC-47EC-A7CC-D432867F4793")),
        ("byod-macos", Sender(enrollment_id=BYOD, user_key="0D2B7C1A-6B77-4F0B-8B51-9C8E4A1D2F55")),
    ],
)
def test_the_user_of_a_mac_has_a_channel(name: str, sender: Sender) -> None:
    found = example(f"tokenupdate-{name}-user").sender

    assert (found.udid, found.enrollment_id, found.user_key) == (sender.udid, sender.enrollment_id, sender.user_key)
    assert (found.user_short_name, found.user_long_name) == ("anna", "Anna Example")


def test_users_of_a_shared_ipad_share_an_id_and_differ_by_name() -> None:
    message = decode(TOKEN_UPDATE | {"UserID": SHARED_IPAD_USER, "UserShortName": "anna@example.test"})

    assert message.sender.user_key == "anna@example.test"


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_a_shared_ipad_has_to_name_its_user(name: str) -> None:
    with pytest.raises(WireError, match="UserShortName"):
        decode(TOKEN_UPDATE | {"UserID": SHARED_IPAD_USER, "UserShortName": name})


def test_a_device_checks_out() -> None:
    assert example("checkout-adde") == CheckOut(sender=Sender(udid=PHONE), topic=TOPIC)
    assert example("checkout-byod") == CheckOut(sender=Sender(enrollment_id=BYOD), topic=TOPIC)


def test_a_bootstrap_token_is_kept_deleted_and_asked_for() -> None:
    assert example("setbootstraptoken") == SetBootstrapToken(sender=Sender(udid=MAC), token=b"opaque-bootstrap-token")
    for keys in ({}, {"BootstrapToken": b""}):
        message = decode({"MessageType": "SetBootstrapToken", "UDID": MAC} | keys)
        assert message == SetBootstrapToken(sender=Sender(udid=MAC), token=None)
    assert example("getbootstraptoken") == GetBootstrapToken(sender=Sender(udid=MAC))


@pytest.mark.parametrize("token", [b"opaque-bootstrap-token", None])
def test_the_answer_about_a_bootstrap_token_is_data(token: bytes | None) -> None:
    assert plistlib.loads(render_bootstrap_token(token)) == {"BootstrapToken": token or b""}


def test_declarative_management_names_an_endpoint() -> None:
    assert example("dm-tokens") == DeclarativeManagement(sender=Sender(udid=PHONE), endpoint="tokens")
    status = example("dm-status")
    assert isinstance(status, DeclarativeManagement)
    assert status.endpoint == "status"
    assert json.loads(status.data)["StatusItems"]


def test_a_token_is_asked_for_by_service() -> None:
    assert example("gettoken") == GetToken(sender=Sender(udid=PHONE), service_type="com.apple.maid")


def test_a_directory_user_asks_twice() -> None:
    first = {"MessageType": "UserAuthenticate", "UDID": MAC, "UserID": "U"}

    assert decode(first) == UserAuthenticate(sender=Sender(udid=MAC, user_key="U"))
    assert decode(first | {"DigestResponse": "r"}) == UserAuthenticate(
        sender=Sender(udid=MAC, user_key="U"), digest_response="r"
    )


@pytest.mark.parametrize("path", sorted((VECTORS / "nanomdm").glob("[AT]*.plist")), ids=lambda path: path.name)
def test_recorded_messages_of_real_devices_are_read(path: Path) -> None:
    message = decode_checkin(path.read_bytes())

    assert type(message).__name__ == path.name.partition(".")[0]
    assert message.sender.device_key == plistlib.loads(path.read_bytes())["UDID"]


def test_keys_that_nobody_knows_are_ignored() -> None:
    assert decode(AUTHENTICATE | {"Challenge": b"apple", "NeedSyncResponse": True}) == decode(AUTHENTICATE)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"MessageType": "Reboot", "UDID": PHONE},
        {"MessageType": 1, "UDID": PHONE},
        {key: value for key, value in AUTHENTICATE.items() if key != "UDID"},
        {key: value for key, value in AUTHENTICATE.items() if key != "Topic"},
        AUTHENTICATE | {"UDID": ""},
        AUTHENTICATE | {"UDID": "x" * 129},
        AUTHENTICATE | {"UDID": 7},
        AUTHENTICATE | {"EnrollmentID": b"x"},
        AUTHENTICATE | {"Topic": "x" * 256},
        AUTHENTICATE | {"OSVersion": 18.2},
        AUTHENTICATE | {"OSVersion": "1" * 33},
        AUTHENTICATE | {"SerialNumber": "S" * 65},
        AUTHENTICATE | {"DeviceName": "N" * 256},
        TOKEN_UPDATE | {"Token": "text"},
        TOKEN_UPDATE | {"PushMagic": 1},
        TOKEN_UPDATE | {"UnlockToken": "text"},
        TOKEN_UPDATE | {"AwaitingConfiguration": 1},
        TOKEN_UPDATE | {"UserID": "U" * 129},
        {"MessageType": "SetBootstrapToken", "UDID": PHONE, "BootstrapToken": "text"},
        {"MessageType": "DeclarativeManagement", "UDID": PHONE},
        {"MessageType": "DeclarativeManagement", "UDID": PHONE, "Endpoint": "status", "Data": "{}"},
        {"MessageType": "DeclarativeManagement", "UDID": PHONE, "Endpoint": "e" * 256},
        {"MessageType": "GetToken", "UDID": PHONE},
    ],
)
def test_what_cannot_be_kept_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode(message)


def test_secrets_stay_out_of_what_is_printed() -> None:
    secret = "SECRET-TOKEN"
    messages: list[dict[str, Any]] = [
        TOKEN_UPDATE | {"Token": secret.encode(), "PushMagic": secret, "UnlockToken": secret.encode()},
        {"MessageType": "SetBootstrapToken", "UDID": PHONE, "BootstrapToken": secret.encode()},
        {"MessageType": "UserAuthenticate", "UDID": PHONE, "DigestResponse": secret},
        {"MessageType": "DeclarativeManagement", "UDID": PHONE, "Endpoint": "status", "Data": secret.encode()},
    ]

    assert not [message for message in messages if secret in repr(decode(message))]


def test_the_message_says_which_kind_it_is() -> None:
    assert has_message_type(AUTHENTICATE)
    assert not has_message_type({"Status": "Idle"})
