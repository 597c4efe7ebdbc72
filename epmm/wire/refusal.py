"""The coded 403: a refusal that a device understands, as JSON or as an XML property list.

Apple: mdm/errors in the device management schema.  It stands here because the device door answers with it as well as
discovery and enrollment.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from epmm.wire import plist

JSON, XML = "application/json", "application/xml"
_XML_TYPES = (XML, "text/xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`description` is for the log of the device; `message` may be shown to the person, best effort."""

    code: str
    description: str = ""
    message: str = ""
    details: Mapping[str, Any] | None = None

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Body and content type; XML only when the `Accept` header prefers it to JSON."""
        body = {"code": self.code, "description": self.description, "message": self.message, "details": self.details}
        present = {key: value for key, value in body.items() if value}
        if _prefers_xml(accept):
            return plist.dump(present), XML
        return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode(), JSON


def well_known_failed(*, description: str = "", message: str = "") -> Refusal:
    """Discovery: this account cannot be enrolled here.  iOS 17.5, macOS 14.5, visionOS 1.2."""
    return Refusal(code="com.apple.well-known.failed", description=description, message=message)


def unrecognized_device(*, description: str = "", message: str = "") -> Refusal:
    """Any MDM request: the device is not ours, and UNENROLLS.  iOS 17, macOS 14, tvOS 17, visionOS 1.1, watchOS 10."""
    return Refusal(code="com.apple.unrecognized.device", description=description, message=message)


def software_update_required(
    *, os_version: str, build_version: str = "", description: str = "", message: str = ""
) -> Refusal:
    """Enrollment: update first.  Only for a device that said `MDM_CAN_REQUEST_SOFTWARE_UPDATE`."""
    details = {"OSVersion": os_version} | ({"BuildVersion": build_version} if build_version else {})
    return Refusal(code="com.apple.softwareupdate.required", description=description, message=message, details=details)


def _prefers_xml(accept: str) -> bool:
    qualities: dict[str, float] = {}
    for choice in accept.lower().split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        qualities[media] = _quality(parameters)
    anything = max(qualities.get("*/*", 0), qualities.get("application/*", 0))
    return max(qualities.get(xml, 0) for xml in _XML_TYPES) > qualities.get(JSON, anything)


def _quality(parameters: list[str]) -> float:
    """RFC 9110, 12.4.2; a weight that is none counts as none at all."""
    weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    try:
        return min(max(float(weight), 0), 1)
    except ValueError:
        return 0
