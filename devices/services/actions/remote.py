"""Actions by a command whose payload is known before anybody is asked."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, os_version_number
from devices.protocol import commands
from devices.services.actions.base import Subject, Unmet, unmanaged
from devices.services.actions.commands import CommandAction

ACTION: Final = "InstallASAP"


class Preset(CommandAction):
    explanation: ClassVar[str | Promise] = ""
    button: ClassVar[str | Promise] = ""
    icon = "send"

    @abstractmethod
    def preset(self) -> Mapping[str, Any]: ...

    def why_not(self, subject: Subject) -> str | None:
        if (sentence := unmanaged(subject)) or subject.target is None:
            return sentence
        return commands.why_not(commands.by_name(self.request_type, self.preset(), subject.target), subject.target)


@dataclass(frozen=True)
class SwitchSetting(Preset):
    """One setting of a phone, on or off."""

    item: str
    is_on: bool
    key: ClassVar[str] = "switch-setting"
    label: ClassVar[str | Promise] = gettext_lazy("Settings")
    request_type: ClassVar[str] = "Settings"

    def preset(self) -> Mapping[str, Any]:
        return {"Settings": [{"Item": self.item, "Enabled": self.is_on}]}

    def payload(self, device: Device, values: Mapping[str, Any]) -> Mapping[str, Any]:
        del device, values
        return self.preset()


SWITCHES: Final = {  # as the API calls them
    f"{verb}_{name}": SwitchSetting(item, is_on=is_on)
    for name, item in (
        ("VOICE_ROAMING", "VoiceRoaming"),
        ("DATA_ROAMING", "DataRoaming"),
        ("PERSONAL_HOTSPOT", "PersonalHotspot"),
    )
    for verb, is_on in (("ENABLE", True), ("DISABLE", False))
}


class Roaming(Preset):
    """One of them, chosen in a dialog."""

    key = "roaming"
    label = gettext_lazy("Roaming and hotspot")
    explanation = gettext_lazy("The setting is switched once; the person can switch it back.")
    button = gettext_lazy("Switch")
    icon = "radio-tower"
    request_type = "Settings"

    def why_not(self, subject: Subject) -> str | None:
        if subject.target is not None and subject.target.platform is not commands.Platform.IOS:
            return unmanaged(subject) or _("Only an iPhone or an iPad has this setting.")
        return super().why_not(subject)

    def preset(self) -> Mapping[str, Any]:
        return SWITCHES["ENABLE_DATA_ROAMING"].preset()  # a phone that takes one takes all, as far as its rights go

    def payload(self, device: Device, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return SWITCHES[values["switch"]].payload(device, values)


class UpdateSystem(Preset):
    """To the version that was named, or the newest that the device has said it could have."""

    key = "update-system"
    label = gettext_lazy("Update the system")
    request_type = "ScheduleOSUpdate"

    def preset(self) -> Mapping[str, Any]:
        return {"Updates": [{"ProductVersion": "1", "InstallAction": ACTION}]}

    def payload(self, device: Device, values: Mapping[str, Any]) -> Mapping[str, Any]:
        version = str(values.get("version") or "") or _newest(device)
        if not version:
            raise Unmet(_("The device has not said which update it could have."))
        return {"Updates": [{"ProductVersion": version, "InstallAction": ACTION}]}


def _newest(device: Device) -> str:
    offered = device.available_updates.exclude(version="").values_list("version", flat=True)
    return max(offered, key=lambda version: os_version_number(version) or 0, default="")
