"""From a provider's claims to what we keep of a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST: Final = {"user_id": 150, "email": 320, "account": 320, "full_name": 300, "first_name": 150, "last_name": 150}
MOST_GROUPS: Final = 5000
LONGEST_GROUP: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which claim holds what; empty: nothing does.  A dot leads into an object, as in `realm_access.roles`."""

    user_id: str
    email: str = ""
    is_email_verified: bool = False  # the provider says so
    full_name: str = ""
    first_name: str = ""
    last_name: str = ""
    groups: str = ""
    account: str = ""

    def all(self) -> list[str]:
        named = (self.user_id, self.email, self.full_name, self.first_name, self.last_name, self.groups, self.account)
        return [name for name in named if name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    subject: str
    user_id: str = ""
    email: str = ""
    is_email_verified: bool = False  # the provider says so
    full_name: str = ""
    first_name: str = ""
    last_name: str = ""
    account: str = ""
    # None: the provider did not say, which is not the same as none
    groups: frozenset[str] | None = field(default=None)


def read(claims: Mapping[str, Any], names: Names) -> Claimed:
    """What does not fit a column is as good as not said."""
    email = _text(claims, names.email, "email")
    if claims.get("email_verified") is False and names.email == "email":
        email = ""
    return Claimed(
        subject=str(claims["sub"]),
        user_id=_text(claims, names.user_id, "user_id"),
        email=email,
        is_email_verified=claims.get("email_verified") is True and names.email == "email",
        full_name=_text(claims, names.full_name, "full_name"),
        first_name=_text(claims, names.first_name, "first_name"),
        last_name=_text(claims, names.last_name, "last_name"),
        account=_text(claims, names.account, "account"),
        groups=_groups(claims, names.groups),
    )


def lacks(claims: Mapping[str, Any], names: Names) -> bool:
    """Whether it is worth asking the provider for more."""
    return any(find(claims, name) is None for name in names.all())


def find(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:  # also a name with dots in it, such as a URL
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(claims: Mapping[str, Any], name: str, what: str) -> str:
    value = find(claims, name) if name else None
    text = value.strip() if isinstance(value, str) else ""
    return text if text.isprintable() and len(text) <= LONGEST[what] else ""


def _groups(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    value = find(claims, name) if name else None
    if isinstance(value, str):  # some providers make a list of one a text, some separate with `; `
        value = [part.strip() for part in value.split(";")]
    if not isinstance(value, Sequence) or len(value) > MOST_GROUPS:
        return None
    return frozenset(item for item in value if isinstance(item, str) and 0 < len(item) <= LONGEST_GROUP)
