"""Assign Roles to groups: Users > To: LDAP Entities > groups and units, and the page of an identity provider."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from epmm.portal.lists import MOST_TICKED
from users.errors import InvalidGrant
from users.models import ACCOUNT_DRIVEN, PORTAL_CHILDREN, Group, Role
from users.services import group_roles
from users.views.chosen import asked_for
from users.views.dialogs import GO, administrator, done, refused
from users.views.group_list import find
from users.views.roles import WARNED, WARNINGS
from users.views.three_states import Ticks

NAMES_SHOWN: Final = 3


@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    """**Assign Roles** to groups."""
    groups = _chosen(request)
    if not groups:
        return refused(request, _("Nothing is selected. Tick the groups first."))
    held = [[grant.key for grant in group.roles.all()] for group in groups]
    ticks = Ticks.read(request.POST, Role.values) if GO in request.POST else Ticks.of(held)
    error = ""
    if GO in request.POST:
        try:
            group_roles.change(groups, ticks.granted, ticks.removed, actor=administrator(request).user_id)
        except InvalidGrant as problem:
            error = str(problem)
        else:
            return done(request, _("The roles are saved."))
    return render(
        request, "portal/people/group_roles.html", _context(groups, ticks, error), status=422 if error else 200
    )


def _chosen(request: HttpRequest) -> list[Group]:
    may_hold = Q(directory__is_enabled=True) | Q(provider__isnull=False)
    rows = Group.objects.filter(may_hold).prefetch_related("roles").order_by("name_folded")
    return list(asked_for(request, rows, find=find, narrow=_of_kind)[:MOST_TICKED])


def _of_kind(groups: QuerySet[Group], asked: Mapping[str, str]) -> QuerySet[Group]:
    """All of the list are those of directories."""
    return groups.filter(kind=asked.get("entities", ""), provider=None)


def _context(groups: list[Group], ticks: Ticks, error: str) -> dict[str, Any]:
    boxes = {
        str(role): ticks.box(role.value, role.label, note=WARNINGS.get(role, ""), is_warning=role in WARNED)
        for role in Role
    }
    return {
        "groups": groups,
        "one": groups[0] if len(groups) == 1 else None,
        "first_names": [group.name for group in groups[:NAMES_SHOWN]],
        "more": max(0, len(groups) - NAMES_SHOWN),
        "chosen": ",".join(str(group.pk) for group in groups),
        "portal": boxes[Role.PORTAL],
        "portal_children": [box for key, box in boxes.items() if key in PORTAL_CHILDREN],
        "account_driven": [box for key, box in boxes.items() if key in ACCOUNT_DRIVEN],
        "lacking": group_roles.without_account(groups, ticks.on),
        "error": error,
    }
