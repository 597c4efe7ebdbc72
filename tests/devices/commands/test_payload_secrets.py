"""Commands that carry a secret, and payloads of any kind."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.protocol import commands
from devices.protocol.commands import REGISTRY, AnyRequest, Target
from devices.protocol.commands.forbidden import FORBIDDEN
from devices.protocol.reading import NEVER_KEPT
from tests.devices.commands.targets import EVERY, IPHONE, MAC
from tests.devices.commands.test_payloads import refusal


def test_what_we_have_no_class_for_is_not_sent_to_a_supervised_device_either() -> None:
    assert refusal("EnableLostMode", replace(IPHONE, supervised=True)) == "EPMM does not send EnableLostMode."
    assert refusal("EnableRemoteDesktop", replace(MAC, supervised=False)) == (
        "EnableRemoteDesktop needs a supervised device, and this Mac says that it is not."
    )


def test_clearing_a_passcode_takes_the_token_that_the_device_gave_us() -> None:
    target = replace(IPHONE, unlock_token=lambda: b"hidden token")

    payloads: tuple[dict[str, Any] | None, ...] = (None, {})
    for payload in payloads:
        request = commands.by_name("ClearPasscode", payload, target)
        assert request.payload == {"UnlockToken": b"hidden token"}
        assert commands.why_not(request, target) is None
        assert "hidden" not in repr(request) + repr(target)


@pytest.mark.parametrize("token", [None, b""])
def test_without_a_token_no_passcode_is_cleared(token: bytes | None) -> None:
    target = replace(IPHONE, unlock_token=lambda: token)

    assert commands.why_not(commands.by_name("ClearPasscode", None, target), target) == (
        "ClearPasscode needs the unlock token of the device, and it has given us none."
    )


def test_only_the_command_that_carries_the_token_asks_for_it() -> None:
    def never() -> bytes:
        raise AssertionError

    target = replace(IPHONE, unlock_token=never)
    for name in REGISTRY.keys() - {"ClearPasscode"}:
        commands.why_not(commands.by_name(name, None, target), target)


SECRETS: dict[str, tuple[Target, dict[str, Any]]] = {
    "DeviceLock": (MAC, {"PIN": "hidden"}),
    "EraseDevice": (MAC, {"PIN": "hidden"}),
    "ClearPasscode": (IPHONE, {"UnlockToken": b"hidden"}),
    "SetRecoveryLock": (MAC, {"NewPassword": "hidden", "CurrentPassword": "hidden"}),
    "VerifyRecoveryLock": (MAC, {"Password": "hidden"}),
    "SetFirmwarePassword": (MAC, {"NewPassword": "hidden", "CurrentPassword": "hidden"}),
    "VerifyFirmwarePassword": (MAC, {"Password": "hidden"}),
    "RotateFileVaultKey": (MAC, {"KeyType": "personal", "FileVaultUnlock": {"Password": "hidden"}}),
    "RequestMirroring": (MAC, {"Password": "hidden"}),
    "InstallProfile": (MAC, {"Payload": b"hidden"}),
    "InstallApplication": (MAC, {"Identifier": "a", "Configuration": {"password": "hidden"}}),
    "InstallEnterpriseApplication": (MAC, {"ManifestURL": "https://a", "Configuration": {"password": "hidden"}}),
    "ApplyRedemptionCode": (IPHONE, {"Identifier": "a", "RedemptionCode": "hidden"}),
    "Settings": (
        MAC,
        {"Settings": [{"Item": "ApplicationConfiguration", "Identifier": "a", "Configuration": {"x": "hidden"}}]},
    ),
}


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_stands_in_what_a_log_may_show(name: str) -> None:
    target, payload = SECRETS[name]
    request = commands.by_name(name, payload, target)

    assert "hidden" not in repr(request)
    assert "hidden" not in (commands.why_not(request, target) or "")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=9) | st.just("Item") | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


KEYS = sorted({key.name for made in REGISTRY.values() for key in made.keys})


@settings(deadline=None)
@given(
    st.sampled_from([*REGISTRY, *FORBIDDEN, "Dance" * 50]),
    st.dictionaries(st.sampled_from(KEYS) | st.text() | st.integers(), VALUES, max_size=5),
    st.sampled_from(EVERY),
)
def test_any_payload_is_taken_or_refused_with_a_sentence(name: str, payload: dict[Any, Any], target: Target) -> None:
    for request in (AnyRequest(request_type=name, payload=payload), commands.by_name(name, payload, target)):
        sentence = commands.why_not(request, target)
        assert sentence is None or len(sentence) < 400


def test_a_command_whose_answer_holds_what_is_never_kept_says_so_itself() -> None:
    """SecurityInfo tells much besides, and its recovery key is for whoever has the key to it."""
    told = {name for name, made in REGISTRY.items() if made.reads is not None and NEVER_KEPT & set(made.reads.keys)}

    assert told - {"SecurityInfo"} == {name for name in REGISTRY if commands.answers_with_secret(name)} - {
        "RotateFileVaultKey"
    }
    assert all(commands.answers_with_secret(name) for name in ("RotateFileVaultKey", "RequestUnlockToken"))
    assert [name for name in REGISTRY if commands.is_personal(name)] == ["ClearPasscode"]
