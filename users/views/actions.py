"""Users > Actions: a dialog that names the people, then what came of it for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from epmm.numbers import grouped
from users import permissions
from users.errors import InvalidPerson
from users.forms import DeleteForm
from users.models import AdminRole
from users.services import people_actions, upkeep
from users.services.people_actions import Order, PersonAction
from users.services.people_lists import device_count, everybody
from users.views import chosen, people_runs
from users.views.chosen import Chosen
from users.views.dialogs import StepUp, administrator, refused
from users.views.users import LISTING, to

HASHED_AT_ONCE: Final = 50  # a tenth of a second each


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    heading: str | Promise
    explanation: str | Promise
    button: str | Promise
    action: PersonAction
    is_dangerous: bool = False
    is_typed: bool = False  # out of the dialog: whom, or how many
    most: int | None = None  # in the request; as many as can be ticked


DEEDS: Final = {
    "require-password": Deed(
        heading=gettext_lazy("Require password change"),
        explanation=gettext_lazy("They choose a new password at their next sign-in. Open sessions end."),
        button=gettext_lazy("Require"),
        action=people_actions.REQUIRE_PASSWORD,
    ),
    "reset-password": Deed(
        heading=gettext_lazy("Reset password"),
        explanation=gettext_lazy("Each gets a new password, shown once. It has to be replaced at the first sign-in."),
        button=gettext_lazy("Reset"),
        action=people_actions.RESET_PASSWORD,
        most=HASHED_AT_ONCE,
    ),
    "unlock": Deed(
        heading=gettext_lazy("Unlock account"),
        explanation=gettext_lazy("Failed sign-ins are forgotten, so that they may try again at once."),
        button=gettext_lazy("Unlock"),
        action=people_actions.UNLOCK,
    ),
    "enable": Deed(
        heading=gettext_lazy("Enable"),
        explanation=gettext_lazy("They may sign in and enroll devices again."),
        button=gettext_lazy("Enable"),
        action=people_actions.ENABLE,
    ),
    "disable": Deed(
        heading=gettext_lazy("Disable"),
        explanation=gettext_lazy("They can neither sign in nor enroll. Their devices stay managed until retired."),
        button=gettext_lazy("Disable"),
        action=people_actions.DISABLE,
        is_dangerous=True,
    ),
    "pin": Deed(
        heading=gettext_lazy("Issue registration PIN"),
        explanation=gettext_lazy("Each gets a new PIN, shown once. It replaces the one before."),
        button=gettext_lazy("Issue"),
        action=people_actions.PIN,
        most=HASHED_AT_ONCE,
    ),
    "delete": Deed(
        heading=gettext_lazy("Delete"),
        explanation=gettext_lazy("Accounts, roles and PINs are deleted. Who has devices stays. This cannot be undone."),
        button=gettext_lazy("Delete"),
        action=people_actions.DELETE,
        is_dangerous=True,
        is_typed=True,
    ),
}


def dialog(name: str) -> Callable[[HttpRequest], HttpResponse]:
    @sensitive_post_parameters("password")
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        return _answer(request, DEEDS[name])

    return view


def _answer(request: HttpRequest, deed: Deed) -> HttpResponse:
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to, most=deed.most, may_be_many=True)
    except InvalidPerson as error:
        return refused(request, str(error))
    context = whom.context() | {"deed": deed, "heading": deed.heading, "address": request.path}
    typed = _typed(request, deed, whom)
    if not whom.is_sent or (typed and not typed.is_valid()):
        status = 422 if typed and typed.errors else 200
        return render(request, "portal/people/deed.html", context | {"form": typed}, status=status)
    retires = bool(typed and typed.cleaned_data.get("retire"))
    if retires and _devices(whom) > 1:
        step_up = StepUp(request)
        if not step_up.is_passed():
            context |= {"form": typed, "identity": step_up.form}
            return render(request, "portal/people/deed.html", context, status=step_up.status)
    values = {"retires": retires}
    if whom.is_many:
        return people_runs.begin(request, whom, deed.action, values)
    order = Order(actor=administrator(request).user_id, roles=permissions.roles_of(request), values=values)
    results = [(user, *people_actions.carry_out(deed.action, user, order)) for user in whom.people]
    context |= {"results": results, "failed": sum(1 for _user, problem, _told in results if problem)}
    return render(request, "portal/people/results.html", context | {"is_secret": deed.action.is_secret})


def _typed(request: HttpRequest, deed: Deed, whom: Chosen) -> DeleteForm | None:
    """What cannot be undone is typed out: the user ID of one, the number of several."""
    if not deed.is_typed:
        return None
    wanted: str | int = whom.number
    if whom.number == 1:
        wanted = whom.people[0].user_id
        label = _("Type the user ID {user_id} to continue.").format(user_id=wanted)
    else:
        label = _("Type the number of people, {n}, to continue.").format(n=grouped(whom.number))
    devices = _devices(whom) if permissions.may(request, AdminRole.DEVICE_MANAGE) else 0
    return DeleteForm(request.POST if whom.is_sent else None, label=label, wanted=wanted, devices=devices)


def _devices(whom: Chosen) -> int:
    return upkeep.devices_of(whom.everyone) if whom.is_many else sum(map(device_count, whom.people))
