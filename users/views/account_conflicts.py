"""Services > Managed Apple Accounts: people whose account is not in step with what is mapped for them."""

from typing import Any, Final

from django.contrib import messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from epmm.numbers import grouped
from epmm.portal.lists import MOST_TICKED, Action, Badge, Cell, Column, Link, Listing
from users import permissions
from users.models import AdminRole, DirectoryEntry, User
from users.services import account_conflicts
from users.services.accounts import State
from users.views.chosen import asked_for
from users.views.dialogs import GO, administrator, refused

HERE: Final = "portal:services-accounts"
WARNINGS: Final = frozenset({State.KEPT, State.MISSING, State.DIFFERS})
NAMES_SHOWN: Final = 20


def _person(entry: DirectoryEntry) -> Cell:
    return Link(entry.user.display_name, reverse("portal:users-edit", args=[entry.user_id]))


def _state(entry: DirectoryEntry) -> Badge:
    state = State(entry.account_state)
    note = ""
    if state == State.TAKEN:
        note = getattr(entry, "holder", None) or _("free by now")
    elif state == State.DIFFERS:
        note = entry.user.upn
    return Badge(state.label, "waiting" if state in WARNINGS else "bad", note=note)


LISTING: Final = Listing[DirectoryEntry](
    name="services-accounts",
    title=gettext_lazy("Managed Apple Accounts"),
    columns=(
        Column(key="name", label=gettext_lazy("Name"), value=_person),
        Column(key="user_id", label=gettext_lazy("User ID"), value=lambda entry: entry.user.user_id),
        Column(key="origin", label=gettext_lazy("Origin"), value=lambda entry: str(entry.directory or entry.provider)),
        Column(key="mapped", label=gettext_lazy("Mapped"), value=lambda entry: entry.account),
        Column(key="account", label=gettext_lazy("Now"), value=lambda entry: entry.user.managed_apple_account),
        Column(key="state", label=gettext_lazy("Conflict"), value=_state, order="account_state"),
    ),
    sorted_by="state",
    actions=(
        Action(label=gettext_lazy("Use what is mapped"), name="services-accounts-adopt", icon="arrow-down-to-line"),
    ),
    empty=gettext_lazy("None: all accounts are in step with what directories and identity providers say."),
)


@require_safe
def listed(request: HttpRequest) -> HttpResponseBase:
    view = LISTING.view(request, _narrowed(_everything(), request.GET.get("state", "")))
    if request.GET.get("format") == "csv":
        return view.csv()
    chosen = request.GET.get("state", "")
    context = view.context() | {
        "states": [
            (f"{state.label}: {number}", view.address(state=str(state.value)), chosen == str(state.value))
            for state, number in _numbers()
        ],
        "is_narrowed": bool(chosen),
        "all_address": view.address(state=""),
        "actions": [action for action in LISTING.actions if permissions.may_open(request, action.name)],
        "may_manage": permissions.may(request, AdminRole.USER_MANAGE),
    }
    return render(request, "portal/services/accounts.html", context)


def _everything() -> QuerySet[DirectoryEntry]:
    """With who has the account, looked up for those that are shown alone."""
    holders = User.objects.filter(managed_apple_account=OuterRef("account")).values("user_id")
    return account_conflicts.everything().annotate(holder=Subquery(holders[:1]))


def _narrowed(found: QuerySet[DirectoryEntry], state: str) -> QuerySet[DirectoryEntry]:
    return found.filter(account_state=int(state)) if state in {str(each.value) for each in State} else found


def _numbers() -> list[tuple[State, str]]:
    there = DirectoryEntry.objects.filter(account_state__gt=State.FINE, gone_at=None).order_by()
    found = dict(there.values_list("account_state").annotate(n=Count("pk")))
    return [(state, grouped(found[state.value])) for state in State if state.value in found]


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    account_conflicts.ask()
    messages.success(request, _("They are looked at again in a moment."))
    return redirect(HERE)


@require_POST
def adopt(request: HttpRequest) -> HttpResponse:
    """A dialog: for the ticked, what was entered here gives way to what is mapped."""
    entries = list(_chosen(request).order_by("pk")[: MOST_TICKED + 1])
    if not entries:
        return refused(request, _("Nobody is selected. Tick the people first."))
    if len(entries) > MOST_TICKED:
        sentence = _("This is done for at most {n} people at once. Narrow the selection.")
        return refused(request, sentence.format(n=grouped(MOST_TICKED)))
    if GO not in request.POST:
        context: dict[str, Any] = {"entries": entries[:NAMES_SHOWN], "more": max(0, len(entries) - NAMES_SHOWN)}
        context["chosen"] = ",".join(str(entry.pk) for entry in entries)
        return render(request, "portal/services/accounts_adopt.html", context)
    found = list(account_conflicts.adopt(entries, actor=administrator(request).user_id))
    results = [(entry.user, problem, entry.user.managed_apple_account or "") for entry, problem in found]
    failed = sum(1 for _entry, problem in found if problem)
    heading = _("Accounts taken over: {n}").format(n=grouped(len(found) - failed))
    context = {"heading": heading, "results": results, "failed": failed}
    return render(request, "portal/people/results.html", context)


def _chosen(request: HttpRequest) -> QuerySet[DirectoryEntry]:
    """The ticked, or all that match the list's address; from dialog to answer they stay the same."""
    return asked_for(
        request,
        account_conflicts.everything(),
        find=LISTING.find,
        narrow=lambda found, asked: _narrowed(found, asked.get("state", "")),
        most=MOST_TICKED + 1,
    )
