"""Commands: one class for each that an account-driven enrollment may send, `AnyRequest` for what is written down."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from devices.protocol.commands import managed, media, passwords, remote, settings, updates, users
from devices.protocol.commands.allowed import (
    answers_with_secret,
    facts_of,
    is_partial,
    is_personal,
    removes_enrollment,
    why_not,
    why_not_as_written,
)
from devices.protocol.commands.applications import InstalledApplicationList
from devices.protocol.commands.base import REGISTRY, AnyRequest, Request, priority_of, render
from devices.protocol.commands.declarative import DeclarativeManagement
from devices.protocol.commands.information import CertificateList, DeviceInformation, SecurityInfo
from devices.protocol.commands.keys import Mistake
from devices.protocol.commands.lifecycle import DeviceLock, EraseDevice, RestartDevice
from devices.protocol.commands.profiles import InstallProfile, ProfileList, RemoveProfile
from devices.protocol.support import objection
from devices.protocol.target import Kind, Platform, Target

__all__ = [
    "REGISTRY",
    "AnyRequest",
    "CertificateList",
    "DeclarativeManagement",
    "DeviceInformation",
    "DeviceLock",
    "EraseDevice",
    "InstallProfile",
    "InstalledApplicationList",
    "Kind",
    "Platform",
    "ProfileList",
    "RemoveProfile",
    "Request",
    "RestartDevice",
    "SecurityInfo",
    "Target",
    "answers_with_secret",
    "by_name",
    "first_inventory",
    "is_partial",
    "is_personal",
    "priority_of",
    "removes_enrollment",
    "render",
    "why_not",
    "why_not_as_written",
    "why_nowhere",
]

# known by their names alone; importing a module is what makes its commands known
BY_NAME_ONLY: Final = (managed, media, passwords, remote, settings, updates, users)


def first_inventory(target: Target) -> list[Request]:
    """What a new enrollment is asked, as far as its kind and platform allow."""
    requests: list[Request] = [
        DeviceInformation.for_target(target),
        SecurityInfo(),
        InstalledApplicationList.for_target(target),
        ProfileList(),
        CertificateList(),
    ]
    return [request for request in requests if why_not(request, target) is None]


def by_name(request_type: str, payload: Mapping[str, Any] | None, target: Target) -> Request:
    """The command of this name; without a payload, with what EPMM itself would ask of the target.

    What is no such command there comes back as it is, and `why_not` says what is wrong with it.
    """
    made = REGISTRY.get(request_type)
    if made is None:
        return AnyRequest(request_type=request_type, payload=payload or {})
    try:
        return (None if payload else made.for_target(target)) or made.parse(payload or {}, target)
    except Mistake:
        return AnyRequest(request_type=request_type, payload=payload or {})


def why_nowhere(request_type: str, payload: Mapping[str, Any] | None, targets: Collection[Target]) -> str | None:
    """Why none of them takes what somebody wrote down; None: one does.  Where the command is known says it best."""
    facts, first = facts_of(request_type), None
    strange = {at: facts is None or objection(request_type, facts.on(at.platform), at) is not None for at in targets}
    for target in sorted(targets, key=strange.__getitem__):
        sentence = why_not_as_written(by_name(request_type, payload, target), target)
        if sentence is None:
            return None
        first = first or sentence
    return first
