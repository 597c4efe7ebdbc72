"""Users > Actions > Assign Roles (portal specification, section 4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from epmm import options, settings_store
from users.errors import InvalidPerson
from users.models import ACCOUNT_DRIVEN, Role, User
from users.services import role_plan, roles
from users.services.role_plan import DEFAULT_PATTERN, Change, Planned, Source
from users.views import chosen
from users.views.chosen import Chosen
from users.views.dialogs import GO, administrator, done, refused
from users.views.users import LISTING, everybody, to

PREVIEWED: Final = 100
GRANTED, MIXED = "granted", "mixed"
WARNINGS: Final[Mapping[str, str | Promise]] = {
    Role.PORTAL_WIPE: gettext_lazy("Erases the device for good. This cannot be undone."),
    Role.PORTAL_UNLOCK: gettext_lazy("Removes the passcode of the device. Never use it on a lost device."),
    Role.PORTAL_RESET_PIN: gettext_lazy("The registration PIN."),
    Role.PORTAL_RESET_SECURE_APPS: gettext_lazy("Kept for compatibility. It has no effect."),
    Role.ADDE: gettext_lazy("The device counts as company-owned."),
    Role.AAUE: gettext_lazy("The device counts as employee-owned."),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A role as the dialog offers it: ticked, not ticked, or left as it is with each."""

    key: str
    label: str | Promise
    is_ticked: bool
    is_mixed: bool
    was_mixed: bool

    @property
    def note(self) -> str | Promise:
        return WARNINGS.get(self.key, "")

    @property
    def is_warning(self) -> bool:
        return self.key in (Role.PORTAL_WIPE, Role.PORTAL_UNLOCK)


@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to)
    except InvalidPerson as error:
        return refused(request, str(error))
    if GO not in request.POST:
        return _dialog(request, whom, _change_before(whom.people))
    change = read(request.POST, is_one=len(whom.people) == 1)
    planned = role_plan.plan(whom.people, change)
    failing = sum(1 for each in planned if each.problem)
    if failing == len(planned) or (failing and not request.POST.get("skip")):
        return _dialog(request, whom, change, planned=planned, is_refused=True, status=422)
    return _saved(request, whom, change, planned)


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """What Save would do, while the dialog is being filled in."""
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to)
    except InvalidPerson as error:
        return refused(request, str(error))
    change = read(request.POST, is_one=len(whom.people) == 1)
    return render(request, "portal/people/role_preview.html", _previewed(role_plan.plan(whom.people, change), change))


def read(sent: QueryDict, *, is_one: bool) -> Change:
    granted = frozenset(sent.getlist(GRANTED)) & frozenset(Role.values)
    mixed = frozenset(sent.getlist(MIXED)) - granted
    source = sent.get("source", "")
    known = source in {*map(str, Source)} and (source != Source.TYPED or is_one)
    text = sent.get("account" if source == Source.TYPED else "pattern", "")
    return Change(
        granted=granted,
        removed=frozenset(Role.values) - granted - mixed,
        source=Source(source) if known else Source.KEEP,
        text=text,
        replaces=bool(sent.get("replaces")),
    )


def _change_before(people: Sequence[User]) -> Change:
    """What changes nothing: the state in which the dialog opens."""
    keys = [frozenset(grant.key for grant in user.role_grants.all()) for user in people]
    everywhere, anywhere = frozenset.intersection(*keys), frozenset.union(*keys)
    removed = frozenset(Role.values) - anywhere
    if len(people) == 1:
        text = people[0].managed_apple_account or ""
        return Change(granted=everywhere, removed=removed, source=Source.TYPED, text=text)
    has_all = all(user.managed_apple_account for user in people)
    source = Source.KEEP if has_all else Source.PATTERN
    return Change(granted=everywhere, removed=removed, source=source, text=DEFAULT_PATTERN)


def _dialog(
    request: HttpRequest,
    whom: Chosen,
    change: Change,
    *,
    planned: Sequence[Planned] | None = None,
    is_refused: bool = False,
    status: int = 200,
) -> HttpResponse:
    boxes = _boxes(whom.people, change)
    shown = _previewed(planned if planned is not None else role_plan.plan(whom.people, change), change)
    context = whom.context() | shown | {"is_refused": is_refused, "portal": boxes[Role.PORTAL]}
    context["portal_children"] = [box for key, box in boxes.items() if key in roles.PORTAL_CHILDREN]
    context["account_driven"] = [box for key, box in boxes.items() if key in ACCOUNT_DRIVEN]
    context["notes"], context["switch_address"] = _switched_off(), _switch_address()
    pattern = change.text if change.source is Source.PATTERN else DEFAULT_PATTERN
    context["account"] = change.text if change.source is Source.TYPED else ""
    context |= {"source": change.source, "pattern": pattern, "replaces": change.replaces}
    context["example"] = f"name@{options.enrollment_domains()[0]}"
    context["placeholders"] = ", ".join(f"{{{name}}}" for name in role_plan.VALUES)
    return render(request, "portal/people/roles.html", context, status=status)


def _boxes(people: Iterable[User], change: Change) -> dict[str, Box]:
    held = [frozenset(grant.key for grant in user.role_grants.all()) for user in people]
    boxes = {}
    for role in Role:
        was_mixed = any(role in keys for keys in held) and not all(role in keys for keys in held)
        is_ticked = role in change.granted
        is_mixed = was_mixed and not is_ticked and role not in change.removed
        boxes[str(role)] = Box(role.value, role.label, is_ticked, is_mixed, was_mixed)
    return boxes


def _previewed(planned: Sequence[Planned], change: Change) -> dict[str, Any]:
    """Those that would fail come first."""
    failing = [each for each in planned if each.problem]
    fine = [each for each in planned if not each.problem and each.is_new]
    shown = [*failing, *fine][:PREVIEWED]
    return {
        "planned": shown,
        "failing": len(failing),
        "going": len(planned) - len(failing),
        "not_shown": len(failing) + len(fine) - len(shown),
        "asks_account": bool(change.granted & ACCOUNT_DRIVEN),
    }


def _switched_off() -> list[str]:
    switches = (
        (options.ADDE, _("Account-driven device enrollment is switched off.")),
        (options.AAUE, _("Account-driven user enrollment is switched off.")),
    )
    off = [sentence for switch, sentence in switches if not settings_store.read(switch)]
    return [f"{sentence} {_('The role is saved but has no effect until it is switched on.')}" for sentence in off]


def _switch_address() -> str:
    try:
        return reverse("portal:settings-ios-mdm")
    except NoReverseMatch:
        return ""


def _saved(request: HttpRequest, whom: Chosen, change: Change, planned: Sequence[Planned]) -> HttpResponse:
    actor = administrator(request).user_id
    results = [(each, _problem(each, change, actor)) for each in planned]
    failed = sum(1 for _each, problem in results if problem)
    if len(results) == 1 and not failed:
        return done(request, _("The roles of {name} are saved.").format(name=whom.people[0].display_name))
    saved = len(results) - failed
    context = whom.context() | {
        "heading": _("Roles saved for people: {n}").format(n=saved),
        "results": [(each.user, problem, each.account or "") for each, problem in results],
        "failed": failed,
    }
    return render(request, "portal/people/results.html", context)


def _problem(planned: Planned, change: Change, actor: str) -> str:
    try:
        role_plan.save(planned, change, actor=actor)
    except InvalidPerson as error:
        return str(error)
    return ""
