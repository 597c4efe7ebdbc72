from devices.models.broadcast import Broadcast
from devices.models.command import Command, CommandRow, FinishedCommand, Result
from devices.models.device import Device, os_version_number
from devices.models.enrollment import Channel, Enrollment, Identity
from devices.models.inventory import InstalledApplication, InstalledCertificate, InstalledProfile
from devices.models.payload import Payload
from devices.models.push_certificate import PushCertificate, PushRequest
from devices.models.status_report import StatusReport

__all__ = [
    "Broadcast",
    "Channel",
    "Command",
    "CommandRow",
    "Device",
    "Enrollment",
    "FinishedCommand",
    "Identity",
    "InstalledApplication",
    "InstalledCertificate",
    "InstalledProfile",
    "Payload",
    "PushCertificate",
    "PushRequest",
    "Result",
    "StatusReport",
    "os_version_number",
]
