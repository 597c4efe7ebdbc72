"""Commands: typed ones for what EPMM sends itself, `AnyRequest` for whatever an administrator writes down."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from devices.protocol.commands.allowed import removes_enrollment, why_not
from devices.protocol.commands.applications import InstalledApplicationList
from devices.protocol.commands.base import AnyRequest, Kind, Platform, Request, Target, render
from devices.protocol.commands.declarative import DeclarativeManagement
from devices.protocol.commands.information import CertificateList, DeviceInformation, SecurityInfo
from devices.protocol.commands.lifecycle import DeviceLock, EraseDevice, RestartDevice
from devices.protocol.commands.profiles import InstallProfile, ProfileList, RemoveProfile

__all__ = [
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
    "by_name",
    "first_inventory",
    "removes_enrollment",
    "render",
    "why_not",
]


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


_FOR_TARGET: Final[dict[str, Callable[[Target], Request]]] = {
    "DeviceInformation": DeviceInformation.for_target,
    "InstalledApplicationList": InstalledApplicationList.for_target,
}


def by_name(request_type: str, payload: Mapping[str, Any] | None, target: Target) -> Request:
    """The command of this name; without a payload, with what EPMM itself would ask of the target."""
    if payload is None and request_type in _FOR_TARGET:
        return _FOR_TARGET[request_type](target)
    return AnyRequest(request_type=request_type, payload=payload or {})
