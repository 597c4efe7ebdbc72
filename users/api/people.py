"""GET authorized/users, device_spaces."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from epmm import masking
from epmm.api import envelope
from epmm.api.paging import Window, ordered, page
from epmm.spaces import GLOBAL_SPACE
from users.api.base import ApiView
from users.models import Role, User, acting
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
