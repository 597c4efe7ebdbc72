from dataclasses import dataclass
from typing import ClassVar

from devices.protocol.declarations.base import Payload, TypedDeclaration, key, list_of, part, text


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusItem(Payload):
    name: str = key("Name", text, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSubscriptions(TypedDeclaration):
    """Several of them add up.

    https://developer.apple.com/documentation/devicemanagement/managementstatussubscriptions
    """

    type: ClassVar[str] = "com.apple.configuration.management.status-subscriptions"

    status_items: tuple[StatusItem, ...] = key("StatusItems", list_of(part(StatusItem)), required=True)
