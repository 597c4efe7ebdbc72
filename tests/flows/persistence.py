"""What a device does when no answer comes: the same again, without a person's help."""

import plistlib
from collections.abc import Callable
from typing import Any, TypeVar

import httpx2

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.refusal import NoAnswer

T = TypeVar("T")


def persistently(step: Callable[[], T]) -> T:
    for _ in range(20):
        try:
            return step()
        except NoAnswer:
            continue
    raise AssertionError("it never went through")


def enroll(device: SimulatedDevice, typed: dict[str, Any]) -> None:
    """As `SimulatedDevice.enroll`, each step until it goes through."""
    persistently(device.discover)
    persistently(device.request_challenge)
    persistently(lambda: device.sign_in(**typed))
    persistently(device.fetch_profile)
    persistently(device.get_identity)
    persistently(device.authenticate)
    for channel in device.membership.channels:
        persistently(lambda channel=channel: device.token_update(channel))  # type: ignore[misc] # mypy cannot infer it
    if device.membership.escrows_bootstrap_token:
        persistently(device.set_bootstrap_token)


def essence(request: httpx2.Request) -> str:
    """What stays the same when a request is made again: its signatures and the seals of its addresses do not."""
    path, _, _ = request.url.path.partition("/enroll/sign-in/")
    if request.url.path.startswith("/mdm/"):
        message = plistlib.loads(request.content)
        keys = ("MessageType", "Status", "CommandUUID", "UserID", "EnrollmentUserID")
        return " ".join(message.get(key, "-") for key in keys)
    bearer = "with bearer" if "Authorization" in request.headers else ""
    return f"{request.method} {path or 'sign-in'} {request.url.params.get('operation', '')} {bearer}".strip()
