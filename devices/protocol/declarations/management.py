from dataclasses import dataclass
from typing import Any, ClassVar, Self

from devices.protocol.declarations.base import Payload, TypedDeclaration, anything, dictionary, https, key, part, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof(Payload):
    identity_token: str | None = key("IdentityToken", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationInfo(TypedDeclaration):
    """https://developer.apple.com/documentation/devicemanagement/managementorganizationinformation"""

    type: ClassVar[str] = "com.apple.management.organization-info"

    name: str = key("Name", text, required=True)
    email: str | None = key("Email", text)
    url: str | None = key("URL", https)
    proof: Proof | None = key("Proof", part(Proof))


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties(TypedDeclaration):
    """Values that predicates name with `@property(name)`: each key is one of them.

    https://developer.apple.com/documentation/devicemanagement/managementproperties
    """

    type: ClassVar[str] = "com.apple.management.properties"

    values: dict[str, Any] = key("ANY", anything, required=True)

    @classmethod
    def parse(cls, source: Any, where: str = "") -> Self:
        return cls(values=dict(dictionary(where or "Payload", source)))

    @property
    def payload(self) -> dict[str, Any]:
        return dict(self.values)
