"""What a directory calls things: what is usual with its kind, and what an administrator put in its place."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

from users.models import Directory


class Nesting(StrEnum):
    """How members of groups in a group are found."""

    NONE = "none"
    RULE = "rule"  # the server finds them: Active Directory's LDAP_MATCHING_RULE_IN_CHAIN
    RECURSIVE = "recursive"  # group by group


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    user_filter: str
    user_id: str
    external_id: str  # stays when somebody is renamed
    first_name: str = "givenName"
    last_name: str = "sn"
    display_name: str = "displayName"
    email: str = "mail"
    upn: str = ""
    sam: str = ""
    group_filter: str
    group_name: str = "cn"
    member: str = "member"
    member_of: str = ""  # where the server keeps it by itself
    nesting: str = Nesting.RECURSIVE
    unit_filter: str = "(objectClass=organizationalUnit)"
    unit_name: str = "ou"


# userAccountControl bit 2: ACCOUNTDISABLE
_AD_PEOPLE: Final = "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
IN_CHAIN: Final = "1.2.840.113556.1.4.1941"
USUAL: Final[Mapping[str, Schema]] = {
    Directory.Kind.ACTIVE_DIRECTORY: Schema(
        user_filter=_AD_PEOPLE,
        user_id="sAMAccountName",
        external_id="objectGUID",
        upn="userPrincipalName",
        sam="sAMAccountName",
        group_filter="(objectClass=group)",
        member_of="memberOf",
        nesting=Nesting.RULE,
    ),
    Directory.Kind.DOMINO: Schema(
        user_filter="(objectClass=dominoPerson)",
        user_id="uid",
        external_id="dominoUNID",
        display_name="cn",
        group_filter="(objectClass=dominoGroup)",
    ),
    Directory.Kind.OTHER: Schema(
        user_filter="(objectClass=inetOrgPerson)",
        user_id="uid",
        external_id="entryUUID",
        group_filter="(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
    ),
}
NAMES: Final = tuple(field.name for field in fields(Schema))
FILTERS: Final = frozenset({"user_filter", "group_filter", "unit_filter"})


def of(directory: Directory) -> Schema:
    usual = USUAL[directory.kind]
    return replace(usual, **{name: text for name, text in directory.schema.items() if name in NAMES and text})
