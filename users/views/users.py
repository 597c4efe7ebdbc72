"""Devices & Users > Users (portal specification, section 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from epmm.numbers import grouped
from epmm.portal.lists import Action, Badge, Column, Link, Listing, View
from users import permissions
from users.models import CustomAttribute, Group, Role, User
from users.services import custom_attributes, roles
from users.services.people_lists import counted, device_count, find
from users.views import group_list

DIRECTORY: Final = "ldap"
DEVICES: Final = "devices"
_KINDS: Final = (("", _("Users")), (Group.Kind.GROUP, _("Groups")), (Group.Kind.UNIT, _("Organizational units")))
_SHORT: Final = {
    Role.ADDE.value: _("Device Enrollment"),
    Role.AAUE.value: _("User Enrollment"),
    Role.PORTAL.value: Role.PORTAL.label,
}


def _linked_count(user: User) -> Link | int:
    """For who may see devices."""
    count = device_count(user)
    return Link(grouped(count), f"{reverse('portal:devices')}?user={user.pk}") if count else count


def _read_roles(people: Sequence[User]) -> None:
    """For `_roles`."""
    held = roles.of_each(people)
    for user in people:
        user.held = held[user.pk]  # type: ignore[attr-defined] # annotated


def _roles(user: User) -> str:
    """What is done in the user portal is counted; the person's page names each, and where it comes from."""
    held: frozenset[str] = getattr(user, "held")  # noqa: B009 - annotated
    named = [str(label) for key, label in _SHORT.items() if key in held]
    return ", ".join(named) + (f" (+{more})" if (more := len(held - _SHORT.keys())) else "")


LISTING: Final = Listing[User](
    name="users",
    title=_("Users"),
    columns=(
        Column(
            key="name",
            label=_("Name"),
            value=lambda user: Link(user.display_name, reverse("portal:users-edit", args=[user.pk]), is_edit=True),
        ),
        Column(key="user_id", label=_("User ID"), value=lambda user: user.user_id, order="user_id"),
        Column(key="email", label=_("Email"), value=lambda user: user.email, order="email"),
        Column(key="source", label=_("Source"), value=lambda user: user.get_source_display()),
        Column(key="roles", label=_("Roles"), value=_roles),
        Column(
            key="account",
            label=_("Managed Apple Account"),
            value=lambda user: user.managed_apple_account,
            order="managed_apple_account",
        ),
        Column(key=DEVICES, label=_("Devices"), value=device_count),
        Column(key="last_login", label=_("Last admin login"), value=lambda user: user.last_portal_login_at),
        Column(
            key="state",
            label=_("State"),
            value=lambda user: Badge(_("Enabled"), "good") if user.is_active else Badge(_("Disabled"), "bad"),
        ),
    ),
    sorted_by="user_id",
    find=find,
    beside=_read_roles,
    actions=(
        Action(label=_("Assign Roles"), name="users-roles", icon="user-cog"),
        Action(label=_("Send Invitation"), name="users-invite", icon="mail"),
        Action(label=_("Assign administrator roles"), name="admins-roles", icon="shield-user"),
        Action(label=_("Assign custom attributes"), name="users-attributes", icon="list-plus"),
        Action(label=_("Require password change"), name="users-require-password", icon="key-round"),
        Action(label=_("Reset password"), name="users-reset-password", icon="rotate-ccw-key"),
        Action(label=_("Unlock account"), name="users-unlock", icon="lock-open"),
        Action(label=_("Issue registration PIN"), name="users-pin", icon="hash"),
        Action(label=_("PINs as a CSV file"), name="users-pin-file", icon="file-down"),
        Action(label=_("Enable"), name="users-enable", icon="user-check"),
        Action(label=_("Disable"), name="users-disable", icon="user-x", is_dangerous=True),
        Action(label=_("Delete"), name="users-delete", icon="trash-2", is_dangerous=True),
    ),
    search_hint=_("Name, user ID, email, account"),
    empty=_("There are no users yet. Add one, or connect a directory."),
)


def to(people: QuerySet[User], asked: Mapping[str, str]) -> QuerySet[User]:
    """What the selector "To" leaves of them, as an address says it."""
    if asked.get("to") != DIRECTORY:
        return people.exclude(source=User.Source.LDAP)
    found = people.filter(source=User.Source.LDAP)
    return found.filter(directory_entry__gone_at__isnull=False) if asked.get("gone") == "1" else found


def _attribute_column(attribute: CustomAttribute, *, is_shown: bool) -> Column[User]:
    def value(user: User) -> str | None:
        return next((each.text for each in user.custom_attributes.all() if each.attribute_id == attribute.pk), None)

    return Column(key=f"attribute.{attribute.pk}", label=attribute.name, value=value, is_shown=is_shown)


def _listing(request: HttpRequest, asked: Mapping[str, str]) -> tuple[Listing[User], QuerySet[User]]:
    """With the attributes that are defined: columns to choose, and all of them in a file."""
    fixed = LISTING.columns
    if permissions.may_open(request, "devices"):
        fixed = [replace(column, value=_linked_count) if column.key == DEVICES else column for column in fixed]
    attributes = custom_attributes.defined(CustomAttribute.Subject.USER)
    columns = [_attribute_column(attribute, is_shown=asked.get("format") == "csv") for attribute in attributes]
    listing = replace(LISTING, columns=(*fixed, *columns))
    is_any_shown = asked.get("format") == "csv" or "attribute." in asked.get("columns", "")
    found = counted()
    return listing, found.prefetch_related("custom_attributes") if columns and is_any_shown else found


@require_safe
def users(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    asked = request.GET.dict()
    kind = asked.get("entities", "") if asked.get("to") == DIRECTORY else ""
    view = _groups(request, kind) if kind in Group.Kind.values else _people(request, asked)
    if request.GET.get("format") == "csv":
        return view.csv()
    actions = [action for action in view.listing.actions if permissions.may_open(request, action.name)]
    is_directory = asked.get("to") == DIRECTORY
    context = {
        "actions": actions,
        "may_add": permissions.may_open(request, "users-add"),
        "is_directory": is_directory,
        "is_gone": asked.get("gone") == "1",
        "is_filtered": asked.get("gone") == "1",
        "entities": [
            (_("Authorized Users"), request.path, not is_directory),
            (_("LDAP Entities"), f"{request.path}?to={DIRECTORY}", is_directory),
        ],
        "kinds": [
            (label, f"{request.path}?to={DIRECTORY}" + (f"&entities={value}" if value else ""), value == kind)
            for value, label in _KINDS
        ],
    }
    return render(request, "portal/people/users.html", view.context() | context)


def _people(request: HttpRequest, asked: Mapping[str, str]) -> View[User]:
    listing, found = _listing(request, asked)
    return listing.view(request, to(found, asked))


def _groups(request: HttpRequest, kind: str) -> View[Group]:
    return group_list.LISTING.view(request, group_list.everything(kind))
