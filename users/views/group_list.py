"""Users > To: LDAP Entities > groups and organizational units: what they are here, and which roles they hold."""

from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from epmm.folding import fold
from epmm.portal.lists import Action, Badge, Column, Listing
from users.models import Group, Role


def find(chosen: QuerySet[Group], text: str) -> QuerySet[Group]:
    return chosen.filter(name_folded__startswith=fold(text))


def roles_of(group: Group) -> str:
    held = {grant.key for grant in group.roles.all()}
    return ", ".join(str(role.label) for role in Role if role in held)


LISTING: Final = Listing[Group](
    name="users",
    title=_("Users"),
    columns=(
        Column(key="name", label=_("Name"), value=lambda group: group.name, order="name_folded"),
        Column(key="dn", label=_("Distinguished name"), value=lambda group: group.dn),
        Column(key="directory", label=_("Directory"), value=lambda group: str(group.directory)),
        Column(key="members", label=_("Members"), value=lambda group: group.people),
        Column(key="roles", label=_("Roles"), value=roles_of),
        Column(
            key="state",
            label=_("State"),
            value=lambda group: Badge(_("Gone"), "bad") if group.gone_at else Badge(_("Present"), "good"),
        ),
    ),
    sorted_by="name",
    find=find,
    actions=(Action(label=_("Assign Roles"), name="users-group-roles", icon="user-cog"),),
    search_hint=_("Name"),
    empty=_("None is used here yet. Choose them under Services > LDAP."),
)


def everything(kind: str) -> QuerySet[Group]:
    """What is used here, with its roles and how many people are in it; of a disabled directory nothing is."""
    found = Group.objects.filter(kind=kind, directory__is_enabled=True).select_related("directory")
    found = found.defer("directory__bind_password", "directory__certificates")  # one is decrypted, the other long
    return found.prefetch_related("roles")
