"""GET admins/ldap_entities."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from epmm.api import envelope
from epmm.api.paging import Window, page
from epmm.portal.keyset import Order
from users.api.base import ApiView
from users.api.people import PAGE, person
from users.models import DirectoryValue, Group, User
from users.services.directory import named
from users.services.directory.named import Named
from users.services.people_lists import find

Known = Mapping[tuple[int | None, str], Mapping[str, Any]]  # by directory and identifier
KINDS: Final[Mapping[str, str]] = {"user": "", "group": Group.Kind.GROUP, "ou": Group.Kind.UNIT}


class DirectoryEntities(ApiView):
    """Of the directories, where something is looked for; of the copy that the sync keeps, where one is away."""

    told_parameters = frozenset({"type"})

    def get(self, _request: Request) -> Response:
        self.space  # noqa: B018 - looked at before anything else
        kind = self.parameters.choice("type", KINDS, "user")
        window = Window.read(self.parameters, limit=PAGE)
        query = self.parameters.text("query", longest=200).strip()
        found = named.everywhere(query, KINDS[kind]) if query else None
        if found is None:
            return self._kept(kind, query, window)
        shown = found[window.offset : window.offset + window.limit]
        has_more = window.offset + len(shown) < len(found)
        return Response(envelope.page(list(_live(shown, kind)), total=len(found), has_more=has_more))

    def _kept(self, kind: str, query: str, window: Window) -> Response:
        found: QuerySet[Any] = _people(query) if kind == "user" else _groups(kind, query)
        order = Order("user_id" if kind == "user" else "name")
        shown = page(found, order, window, name=(self.person.pk, kind, query))
        names = _distinguished_names(shown.rows)
        results = [_entity(each, names) for each in shown.rows]
        return Response(envelope.page(results, total=shown.total, has_more=shown.has_more))


def _live(found: Sequence[Named], kind: str) -> Iterator[dict[str, Any]]:
    of = {
        "directory__in": {each.directory_id for each in found},
        "external_id__in": {each.external_id for each in found},
    }
    known = _known_people(of) if kind == "user" else _known_groups(of)
    for each in found:
        address = {"email": each.email} if kind == "user" else {}
        told = {"name": each.name, "dn": each.dn, "principal": each.principal, "type": kind, "roles": [], **address}
        yield {**told, **known.get((each.directory_id, each.external_id), {})}


def _known_people(of: Mapping[str, Any]) -> Known:
    """What they are called and may do here."""
    theirs = {f"directory_entry__{name}": values for name, values in of.items()}
    known = _people("").filter(**theirs).select_related("directory_entry")
    return {
        (user.directory_entry.directory_id, user.directory_entry.external_id): {
            name: told for name, told in person(user).items() if name in {"principal", "roles"}
        }
        for user in known
    }


def _known_groups(of: Mapping[str, Any]) -> Known:
    known = Group.objects.filter(**of).prefetch_related("roles")
    return {(group.directory_id, group.external_id): {"roles": _roles(group)} for group in known}


def _roles(group: Group) -> list[str]:
    return [role.key for role in group.roles.all()]


def _people(query: str) -> QuerySet[User]:
    people = User.objects.filter(source=User.Source.LDAP).prefetch_related("role_grants", "memberships__group__roles")
    return find(people, query) if query else people


def _groups(kind: str, query: str) -> QuerySet[Group]:
    groups = Group.objects.filter(kind=KINDS[kind], directory__isnull=False, gone_at=None).prefetch_related("roles")
    has_it = Q(name__icontains=query) | Q(dn__icontains=query)
    return groups.filter(has_it) if query else groups


def _distinguished_names(shown: Sequence[Model]) -> dict[int, str]:
    people = [each.pk for each in shown if isinstance(each, User)]
    return {row.user_id: row.text for row in DirectoryValue.objects.filter(user__in=people, name="dn")}


def _entity(found: Model, names: Mapping[int, str]) -> dict[str, Any]:
    if isinstance(found, Group):
        kind = "group" if found.kind == Group.Kind.GROUP else "ou"
        return {"name": found.name, "dn": found.dn, "principal": found.name, "type": kind, "roles": _roles(found)}
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
