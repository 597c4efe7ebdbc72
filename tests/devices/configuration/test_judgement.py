"""Which devices take a profile, and what of it they pay no heed to."""

from dataclasses import replace
from typing import Any

import pytest

from devices.protocol.commands import Target
from devices.protocol.configuration_profile import Verdict, judge, read
from tests.devices.commands.targets import EVERY, IPHONE, MAC, MAC_USER, OWN_IPHONE, OWN_MAC, OWN_VISION, VISION
from tests.devices.configuration.profiles import payload, profile


def verdict(target: Target, *payloads: dict[str, Any]) -> Verdict:
    found = read(profile(*payloads))
    return judge(found.identifier, found.payloads, target)


@pytest.mark.parametrize("target", EVERY)
def test_wifi_goes_everywhere(target: Target) -> None:
    assert verdict(target) == Verdict(refusal=None, warnings=())


@pytest.mark.parametrize("target", [OWN_IPHONE, OWN_VISION])
def test_a_users_own_phone_would_refuse_all_for_one_payload(target: Target) -> None:
    refusal = verdict(target, payload("com.apple.wifi.managed"), payload("com.apple.domains")).refusal

    assert refusal is not None
    assert "com.apple.domains is not allowed on a device that is enrolled as a user's own" in refusal
    assert "the whole profile" in refusal


def test_a_users_own_mac_ignores_the_payload() -> None:
    assert verdict(OWN_MAC, payload("com.apple.dock")) == Verdict(
        refusal=None,
        warnings=("com.apple.dock is not allowed on a Mac that is enrolled as a user's own, which ignores it.",),
    )


@pytest.mark.parametrize("kind", ["com.apple.homescreenlayout", "com.apple.app.lock", "com.apple.proxy.http.global"])
def test_what_needs_supervision_is_refused_for_a_phone(kind: str) -> None:
    refusal = verdict(IPHONE, payload(kind)).refusal

    assert refusal == f"{kind} needs a supervised device; account-driven enrollment supervises Macs only."


def test_a_mac_is_supervised() -> None:
    assert verdict(MAC, payload("com.apple.proxy.http.global")).refusal is None


def test_the_channel_of_a_mac_must_be_the_payloads() -> None:
    assert "PayloadScope must not be User" in str(verdict(MAC_USER, payload("com.apple.MCX.FileVault2")).refusal)
    assert "PayloadScope must be User" in str(verdict(MAC, payload("com.apple.ews.account")).refusal)
    assert verdict(MAC_USER, payload("com.apple.ews.account")).refusal is None
    assert verdict(IPHONE, payload("com.apple.mail.managed")).refusal is None


@pytest.mark.parametrize(("target", "platform"), [(IPHONE, "iOS"), (VISION, "visionOS"), (MAC, "macOS")])
def test_an_unknown_payload_is_worth_a_warning(target: Target, platform: str) -> None:
    assert verdict(target, payload("com.example.unknown")) == Verdict(
        refusal=None, warnings=(f"{platform} does not know com.example.unknown.",)
    )


@pytest.mark.parametrize(
    ("target", "warnings"),
    [
        (IPHONE, ("Not applicable without supervision: allowAirDrop.",)),
        (OWN_IPHONE, ("Not applicable on a device that is enrolled as a user's own: allowAirDrop, allowCamera.",)),
        (MAC, ("Not applicable: macOS does not know allowSharedStream.",)),
    ],
)
def test_restrictions_without_effect_are_named(target: Target, warnings: tuple[str, ...]) -> None:
    keys = {"allowCamera": False, "allowScreenShot": False, "allowAirDrop": False}
    if target is MAC:
        keys["allowSharedStream"] = False

    assert verdict(target, payload("com.apple.applicationaccess", **keys)) == Verdict(refusal=None, warnings=warnings)


def test_the_enrollment_profile_is_not_replaced() -> None:
    own = replace(IPHONE, profile_identifier="com.example.wifi")

    assert "enrollment profile" in str(verdict(own).refusal)
