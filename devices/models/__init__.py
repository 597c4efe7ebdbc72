from devices.models.command import OPEN_STATES, Command, Result, StatusReport
from devices.models.device import Device, os_version_number
from devices.models.enrollment import Channel, Enrollment, Identity
from devices.models.inventory import InstalledApplication, InstalledCertificate, InstalledProfile

__all__ = [
    "OPEN_STATES",
    "Channel",
    "Command",
    "Device",
    "Enrollment",
    "Identity",
    "InstalledApplication",
    "InstalledCertificate",
    "InstalledProfile",
    "Result",
    "StatusReport",
    "os_version_number",
]
