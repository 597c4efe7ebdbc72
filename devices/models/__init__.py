from devices.models.action_run import ActionResult, ActionRun
from devices.models.attribute import DeviceAttribute
from devices.models.broadcast import Broadcast
from devices.models.command import Command, CommandRow, FinishedCommand, Result
from devices.models.configuration import Configuration, ConfigurationAssignment, ConfigurationVersion
from devices.models.declaration import (
    ChannelStatus,
    Declaration,
    DeclarationAssignment,
    DeclarationContent,
    DeclarationSet,
    DeclarationState,
    Manifest,
)
from devices.models.declaration_run import DeclarationRun
from devices.models.delivery import ConfigurationDelivery
from devices.models.device import Device, os_version_number
from devices.models.duplicate import Duplicate
from devices.models.enrollment import Channel, Enrollment, Identity
from devices.models.inventory import (
    Answer,
    AvailableUpdate,
    InstalledApplication,
    InstalledCertificate,
    InstalledProfile,
    LocalUser,
    ManagedApplication,
    Secret,
)
from devices.models.label import Label, LabelMember
from devices.models.long_expression import LongExpression
from devices.models.payload import Payload
from devices.models.push_certificate import PushCertificate, PushRequest
from devices.models.status_report import StatusReport
from devices.models.wake import Wake

__all__ = [
    "ActionResult",
    "ActionRun",
    "Answer",
    "AvailableUpdate",
    "Broadcast",
    "Channel",
    "ChannelStatus",
    "Command",
    "CommandRow",
    "Configuration",
    "ConfigurationAssignment",
    "ConfigurationDelivery",
    "ConfigurationVersion",
    "Declaration",
    "DeclarationAssignment",
    "DeclarationContent",
    "DeclarationRun",
    "DeclarationSet",
    "DeclarationState",
    "Device",
    "DeviceAttribute",
    "Duplicate",
    "Enrollment",
    "FinishedCommand",
    "Identity",
    "InstalledApplication",
    "InstalledCertificate",
    "InstalledProfile",
    "Label",
    "LabelMember",
    "LocalUser",
    "LongExpression",
    "ManagedApplication",
    "Manifest",
    "Payload",
    "PushCertificate",
    "PushRequest",
    "Result",
    "Secret",
    "StatusReport",
    "Wake",
    "os_version_number",
]
