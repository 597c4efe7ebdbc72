from dataclasses import dataclass
from typing import ClassVar

from devices.protocol.declarations.base import TypedDeclaration, key, list_of, text


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleActivation(TypedDeclaration):
    """Without an active one that names it, a configuration does nothing.

    https://developer.apple.com/documentation/devicemanagement/activationsimple
    """

    type: ClassVar[str] = "com.apple.activation.simple"

    standard_configurations: tuple[str, ...] = key("StandardConfigurations", list_of(text), required=True)
    predicate: str | None = key("Predicate", text)
