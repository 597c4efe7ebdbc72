"""Admin > Admins: who administers, and with which roles (portal specification, section 15)."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from epmm.numbers import grouped
from epmm.portal.lists import Action, Badge, Column, Link, Listing
from users.errors import InvalidPerson, UnknownPerson
from users.models import AdminGrant, AdminRole, Authenticator, User
from users.services import administrators, people, people_actions
from users.services.people_lists import find
from users.views import chosen, people_runs
from users.views.chosen import Chosen
from users.views.dialogs import GO, StepUp, administrator, done, refused
from users.views.three_states import Ticks
from users.views.users import to

CATEGORIES: Final[dict[str, str | Promise]] = {
    "device": gettext_lazy("Device Management"),
    "user": gettext_lazy("User Management"),
    "label": gettext_lazy("Label Management"),
    "configuration": gettext_lazy("Configuration Management"),
    "logs": gettext_lazy("Logs and Events Management"),
    "settings": gettext_lazy("Settings"),
    "admin": gettext_lazy("Admin"),
    "api": gettext_lazy("API"),
}


def _category(key: str) -> str:
    return key.partition(".")[0]


def _read_beside(people: Sequence[User]) -> None:
    """For the two columns below."""
    held: dict[int, set[str]] = {user.pk: set() for user in people}
    for person, key in AdminGrant.objects.filter(user__in=held).values_list("user_id", "key"):
        held[person].add(key)
    protected = set(Authenticator.objects.filter(user__in=held, confirmed=True).values_list("user_id", flat=True))
    for user in people:
        user.held, user.is_protected = held[user.pk], user.pk in protected  # type: ignore[attr-defined] # annotated


def _told(user: User) -> str:
    """Each category with its roles; all of them in a word."""
    held: set[str] = getattr(user, "held")  # noqa: B009 - annotated
    if held >= set(AdminRole.values):
        return str(_("All roles"))
    parts = []
    for category, roles in groupby((role for role in AdminRole if role in held), _category):
        parts.append(f"{CATEGORIES[category]}: {', '.join(str(role.label) for role in roles)}")
    return "; ".join(parts)


def _second_factor(user: User) -> Badge:
    is_on: bool = getattr(user, "is_protected")  # noqa: B009 - annotated
    return Badge(_("On"), "good") if is_on else Badge(_("Off"), "waiting")


LISTING: Final = Listing[User](
    name="admins",
    title=gettext_lazy("Admins"),
    columns=(
        Column(
            key="name",
            label=gettext_lazy("Name"),
            value=lambda user: Link(user.display_name, reverse("portal:users-edit", args=[user.pk])),
        ),
        Column(key="user_id", label=gettext_lazy("User ID"), value=lambda user: user.user_id, order="user_id"),
        Column(key="roles", label=gettext_lazy("Roles"), value=_told),
        Column(key="second_factor", label=gettext_lazy("Second factor"), value=_second_factor),
        Column(
            key="gdpr",
            label=gettext_lazy("Personal data"),
            value=lambda user: Badge(_("Hidden"), "waiting") if user.hides_personal_data else Badge(_("Shown")),
        ),
        Column(key="last_login", label=gettext_lazy("Last admin login"), value=lambda user: user.last_portal_login_at),
        Column(
            key="state",
            label=gettext_lazy("State"),
            value=lambda user: Badge(_("Enabled"), "good") if user.is_active else Badge(_("Disabled"), "bad"),
        ),
    ),
    sorted_by="user_id",
    find=find,
    beside=_read_beside,
    actions=(
        Action(label=gettext_lazy("Assign administrator roles"), name="admins-roles", icon="shield-user"),
        Action(label=gettext_lazy("Assign GDPR profile"), name="admins-gdpr", icon="eye-off"),
    ),
    search_hint=gettext_lazy("Name, user ID, email, account"),
    empty=gettext_lazy("There are no administrators."),
)


def _everybody() -> QuerySet[User]:
    return User.objects.prefetch_related("admin_grants")


@require_safe
def admins(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    view = LISTING.view(request, User.objects.filter(is_admin=True))
    if request.GET.get("format") == "csv":
        return view.csv()
    return render(request, "portal/people/admins.html", view.context() | {"actions": LISTING.actions})


@require_safe
def add(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/people/admin_add.html")


@sensitive_post_parameters("password")
@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    try:
        whom = _chosen(request)
    except InvalidPerson as error:
        return refused(request, str(error))
    except UnknownPerson as error:
        context = {"problem": str(error), "typed": request.POST["user_id"][: people.LONGEST_NAME]}
        return render(request, "portal/people/admin_add.html", context, status=422)
    if not whom.is_sent:
        return _dialog(request, whom, _opened(whom), StepUp(request))
    ticks = Ticks.read(request.POST, AdminRole.values)
    step_up = StepUp(request)
    if not step_up.is_passed():
        return _dialog(request, whom, ticks, step_up, status=step_up.status)
    if whom.is_many:
        values = {"granted": sorted(ticks.granted), "removed": sorted(ticks.removed)}
        return people_runs.begin(request, whom, people_actions.ADMIN_ROLES, values)
    return _saved(request, whom, ticks)


@sensitive_post_parameters("password")
@require_POST
def gdpr_profile(request: HttpRequest) -> HttpResponse:
    """Whether the ticked ones see personal data."""
    try:
        whom = chosen.of(request, LISTING, _everybody().filter(is_admin=True))
    except InvalidPerson as error:
        return refused(request, str(error))
    step_up, actor = StepUp(request), administrator(request).user_id
    hides = request.POST.get("hides") == "on" if GO in request.POST else whom.people[0].hides_personal_data
    if GO not in request.POST or not step_up.is_passed():
        context = whom.context() | {"form": step_up.form, "hides": hides}
        status = step_up.status if GO in request.POST else 200
        return render(request, "portal/people/gdpr_profile.html", context, status=status)
    number = sum(administrators.set_gdpr_profile(user, hides=hides, actor=actor) for user in whom.people)
    return done(request, _("GDPR profile changed for administrators: {n}").format(n=grouped(number)))


def _chosen(request: HttpRequest) -> Chosen:
    if "user_id" in request.POST:
        user = people.by_user_id(request.POST["user_id"].strip()[: people.LONGEST_NAME])
        return Chosen.one(user, is_sent=GO in request.POST)
    # the list of people and that of administrators open the same dialog, each with what is ticked in it
    if request.POST.get("listed") == LISTING.name:
        return chosen.of(request, LISTING, _everybody().filter(is_admin=True))
    return chosen.of(request, LISTING, _everybody(), narrow=to, may_be_many=True)


def _opened(whom: Chosen) -> Ticks:
    if not whom.is_many:
        return Ticks.of([[grant.key for grant in user.admin_grants.all()] for user in whom.people])
    grants = AdminGrant.objects.filter(user__in=whom.everyone.order_by().values("pk")).order_by()
    return Ticks.counted(dict(grants.values_list("key").annotate(Count("pk"))), whom.number)


def _dialog(request: HttpRequest, whom: Chosen, ticks: Ticks, step_up: StepUp, *, status: int = 200) -> HttpResponse:
    boxes = [ticks.box(role.value, role.label) for role in AdminRole]
    categories = [(CATEGORIES[name], list(some)) for name, some in groupby(boxes, lambda box: _category(box.key))]
    context = whom.context() | {"categories": categories, "form": step_up.form}
    return render(request, "portal/people/admin_roles.html", context, status=status)


def _saved(request: HttpRequest, whom: Chosen, ticks: Ticks) -> HttpResponse:
    actor = administrator(request).user_id
    results = [(user, _problem(user, ticks, actor), "") for user in whom.people]
    failed = sum(1 for _user, problem, _told in results if problem)
    if len(results) == 1 and not failed:
        name = whom.people[0].display_name
        return done(request, _("The administrator roles of {name} are saved.").format(name=name))
    saved = len(results) - failed
    heading = _("Roles saved for people: {n}").format(n=grouped(saved))
    context = whom.context() | {"heading": heading, "results": results, "failed": failed}
    return render(request, "portal/people/results.html", context)


def _problem(user: User, ticks: Ticks, actor: str) -> str:
    try:
        administrators.change_roles(user, granted=ticks.granted, removed=ticks.removed, actor=actor)
    except InvalidPerson as error:
        return str(error)
    return ""
