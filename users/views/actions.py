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

from epmm.portal.lists import MOST_TICKED
from users import permissions
from users.errors import InvalidPerson
from users.forms import DeleteForm
from users.models import AdminRole, User
from users.services import pins, upkeep
from users.views import chosen
from users.views.dialogs import GO, StepUp, administrator, refused
from users.views.users import LISTING, device_count, everybody, to

HASHED_AT_ONCE: Final = 50  # a tenth of a second each


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    heading: str | Promise
    explanation: str | Promise
    button: str | Promise
    do: Callable[[User, str], str]  # what is shown beside the person
    is_dangerous: bool = False
    is_secret: bool = False  # shown once
    is_typed: bool = False  # out of the dialog: whom, or how many
    is_for_account: bool = True  # lends or takes an administrator's sign-in
    most: int = MOST_TICKED


def _require_password(user: User, actor: str) -> str:
    upkeep.require_new_password(user, actor=actor)
    return _("Asked at the next sign-in")


def _unlock(user: User, actor: str) -> str:
    return _("Unlocked") if upkeep.unlock(user, actor=actor) else _("Was not locked")


def _enable(user: User, actor: str) -> str:
    upkeep.set_active(user, is_active=True, actor=actor)
    return _("Enabled")


def _disable(user: User, actor: str) -> str:
    upkeep.set_active(user, is_active=False, actor=actor)
    return _("Disabled")


def _delete(user: User, actor: str) -> str:
    upkeep.delete(user, actor=actor)
    return _("Deleted")


DEEDS: Final = {
    "require-password": Deed(
        heading=gettext_lazy("Require password change"),
        explanation=gettext_lazy("They choose a new password at their next sign-in. Open sessions end."),
        button=gettext_lazy("Require"),
        do=_require_password,
    ),
    "reset-password": Deed(
        heading=gettext_lazy("Reset password"),
        explanation=gettext_lazy(
            "Each gets a new password, shown here once. It has to be replaced at the first sign-in."
        ),
        button=gettext_lazy("Reset"),
        do=lambda user, actor: upkeep.reset_password(user, actor=actor),
        is_secret=True,
        most=HASHED_AT_ONCE,
    ),
    "unlock": Deed(
        heading=gettext_lazy("Unlock account"),
        explanation=gettext_lazy("Failed sign-ins are forgotten, so that they may try again at once."),
        button=gettext_lazy("Unlock"),
        do=_unlock,
    ),
    "enable": Deed(
        heading=gettext_lazy("Enable"),
        explanation=gettext_lazy("They may sign in and enroll devices again."),
        button=gettext_lazy("Enable"),
        do=_enable,
    ),
    "disable": Deed(
        heading=gettext_lazy("Disable"),
        explanation=gettext_lazy("They can neither sign in nor enroll. Their devices stay managed until retired."),
        button=gettext_lazy("Disable"),
        do=_disable,
        is_dangerous=True,
    ),
    "pin": Deed(
        heading=gettext_lazy("Issue registration PIN"),
        explanation=gettext_lazy("Each gets a new PIN, shown here once. It replaces the one before."),
        button=gettext_lazy("Issue"),
        do=lambda user, actor: pins.issue(user, actor=actor),
        is_secret=True,
        is_for_account=False,
        most=HASHED_AT_ONCE,
    ),
    "delete": Deed(
        heading=gettext_lazy("Delete"),
        explanation=gettext_lazy("Accounts, roles and PINs are deleted. Who has devices stays. This cannot be undone."),
        button=gettext_lazy("Delete"),
        do=_delete,
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
        whom = chosen.of(request, LISTING, everybody(), narrow=to, most=deed.most)
    except InvalidPerson as error:
        return refused(request, str(error))
    context = whom.context() | {"deed": deed, "heading": deed.heading, "address": request.path}
    typed = _typed(request, deed, whom.people)
    if GO not in request.POST or (typed and not typed.is_valid()):
        status = 422 if typed and typed.errors else 200
        return render(request, "portal/people/deed.html", context | {"form": typed}, status=status)
    retires = bool(typed and typed.cleaned_data.get("retire"))
    if retires and sum(map(device_count, whom.people)) > 1:
        step_up = StepUp(request)
        if not step_up.is_passed():
            context |= {"form": typed, "identity": step_up.form}
            return render(request, "portal/people/deed.html", context, status=step_up.status)
    results = [(user, *_done(request, deed, user, retires=retires)) for user in whom.people]
    context |= {"results": results, "failed": sum(1 for _user, problem, _told in results if problem)}
    return render(request, "portal/people/results.html", context | {"is_secret": deed.is_secret})


def _typed(request: HttpRequest, deed: Deed, people: list[User]) -> DeleteForm | None:
    """What cannot be undone is typed out: the user ID of one, the number of several."""
    if not deed.is_typed:
        return None
    if len(people) == 1:
        wanted = people[0].user_id
        label = _("Type the user ID {user_id} to continue.").format(user_id=wanted)
    else:
        wanted = str(len(people))
        label = _("Type the number of people, {n}, to continue.").format(n=wanted)
    devices = sum(map(device_count, people)) if permissions.may(request, AdminRole.DEVICE_MANAGE) else 0
    data = request.POST if GO in request.POST else None
    return DeleteForm(data, label=label, wanted=wanted, devices=devices)


def _done(request: HttpRequest, deed: Deed, user: User, *, retires: bool) -> tuple[str, str]:
    """What was wrong, and else what is to be told."""
    actor = administrator(request).user_id
    try:
        if deed.is_for_account:
            upkeep.may_change(user, permissions.roles_of(request))
        if retires and device_count(user):
            upkeep.retire_devices(user, actor=actor)
            return "", _("The devices are being retired. Delete the person when they are gone.")
        return "", deed.do(user, actor)
    except InvalidPerson as error:
        return str(error), ""
