"""GET authorized/users, device_spaces, admins/ldap_entities."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from epmm import masking
from epmm.api import envelope
from epmm.api.paging import Window, ordered, page
from epmm.portal.keyset import Order
from epmm.spaces import GLOBAL_SPACE
from users.api.base import ApiView
from users.models import DirectoryValue, Group, Role, User, acting
from users.services.people_lists import find

PAGE: Final = 200
SORTS: Final = {
    "principal": "user_id",
    "id": "pk",
    "email": "email",
    "firstName": "first_name_folded",
    "lastName": "last_name_folded",
    "displayName": "full_name",
}
SOURCES: Final = {User.Source.LOCAL: "Local", User.Source.LDAP: "LDAP", User.Source.OIDC: "OIDC"}
ENTITIES: Final = ("user", "group", "ou")


class Users(ApiView):
    def get(self, _request: Request) -> Response:
        self.space  # noqa: B018 - looked at before anything else
        window = Window.read(self.parameters, limit=PAGE)
        query = self.parameters.text("query", longest=200).strip()
        people = find(User.objects.all(), query) if query else User.objects.all()
        rows = people.prefetch_related("role_grants", "memberships__group__roles")
        order = ordered(self.parameters, SORTS, "principal")
        shown = page(rows, order, window, name=(self.person.pk, "users", query))
        results = [person(each) for each in shown.rows]
        return Response(envelope.page(results, total=shown.total, has_more=shown.has_more))


class MySpaces(ApiView):
    def get(self, _request: Request) -> Response:
        count = not self.parameters.flag("excludeDeviceCount", default=False)
        results = [space(number, has_count=count) for number in sorted(self.caller.spaces)]
        return Response(envelope.page(results, total=len(results), has_more=False))


class Spaces(ApiView):
    told_parameters = frozenset({"excludeDeviceCount"})

    def get(self, _request: Request) -> Response:
        count = not self.parameters.flag("excludeDeviceCount", default=False)
        return Response(envelope.page([space(GLOBAL_SPACE, has_count=count)], total=1, has_more=False))


class DirectoryEntities(ApiView):
    """Of the copy that the sync keeps: no directory waits for a connector."""

    told_parameters = frozenset({"type"})

    def get(self, _request: Request) -> Response:
        self.space  # noqa: B018 - as above
        kind = self.parameters.choice("type", ENTITIES, "user")
        window = Window.read(self.parameters, limit=PAGE)
        query = self.parameters.text("query", longest=200).strip()
        found: QuerySet[Any] = _people(query) if kind == "user" else _groups(kind, query)
        order = Order("user_id" if kind == "user" else "name")
        shown = page(found, order, window, name=(self.person.pk, kind, query))
        names = _distinguished_names(shown.rows)
        results = [_entity(each, names) for each in shown.rows]
        return Response(envelope.page(results, total=shown.total, has_more=shown.has_more))


def person(user: User) -> dict[str, Any]:
    seen = masking.seen(user)
    own = {grant.key for grant in user.role_grants.all()}
    held = acting(own | {grant.key for each in user.memberships.all() for grant in each.group.roles.all()})
    return {
        "id": user.pk,
        "uuid": str(user.uuid),
        "principal": seen.user_id,
        "firstName": seen.first_name,
        "lastName": seen.last_name,
        "displayName": seen.display_name,
        "email": seen.email,
        "enabled": user.is_active,
        "source": SOURCES[User.Source(user.source)],
        "roles": [key for key in Role.values if key in held],
    }


def people_of(uuids: Iterable[str]) -> dict[str, User]:
    """Those that are there, by their UUIDs as they were written."""
    meant = {text: uuid for text in uuids if (uuid := _uuid(text))}
    known = {user.uuid: user for user in User.objects.filter(uuid__in=meant.values())}
    return {text: known[uuid] for text, uuid in meant.items() if uuid in known}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def space(number: int, *, has_count: bool) -> dict[str, Any]:
    devices = apps.get_model("devices", "Device").objects.exclude(status="RETIRED")
    count = {"deviceCount": devices.count()} if has_count else {}
    return {"id": number, "name": _("Global"), "path": f"/{number}/", **count}


def _people(query: str) -> QuerySet[User]:
    people = User.objects.filter(source=User.Source.LDAP).prefetch_related("role_grants", "memberships__group__roles")
    return find(people, query) if query else people


def _groups(kind: str, query: str) -> QuerySet[Group]:
    meant = Group.Kind.GROUP if kind == "group" else Group.Kind.UNIT
    groups = Group.objects.filter(kind=meant, directory__isnull=False, gone_at=None).prefetch_related("roles")
    named = Q(name__icontains=query) | Q(dn__icontains=query)
    return groups.filter(named) if query else groups


def _distinguished_names(shown: Sequence[Model]) -> dict[int, str]:
    people = [each.pk for each in shown if isinstance(each, User)]
    return {row.user_id: row.text for row in DirectoryValue.objects.filter(user__in=people, name="dn")}


def _entity(found: Model, names: Mapping[int, str]) -> dict[str, Any]:
    if isinstance(found, Group):
        kind = "group" if found.kind == Group.Kind.GROUP else "ou"
        roles = [role.key for role in found.roles.all()]
        return {"name": found.name, "dn": found.dn, "principal": found.name, "type": kind, "roles": roles}
    if not isinstance(found, User):
        raise TypeError
    told = person(found)
    return {
        "name": told["displayName"],
        "dn": names.get(found.pk, ""),
        "principal": told["principal"],
        "type": "user",
        "email": told["email"],
        "roles": told["roles"],
    }
