"""Users > Actions > Assign Roles (portal specification, section 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import apps
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from epmm.numbers import grouped
from users import permissions
from users.errors import InvalidPerson
from users.models import ACCOUNT_DRIVEN, PORTAL_CHILDREN, AdminRole, Role, RoleGrant, User
from users.services import accounts, people_actions, role_plan, roles
from users.services.account_patterns import DEFAULT_PATTERN, VALUES
from users.services.people_lists import everybody
from users.services.role_plan import ATTRIBUTES, UPN, Change, Planned, Source
from users.views import chosen, people_runs
from users.views.chosen import Chosen
from users.views.dialogs import StepUp, administrator, done, refused
from users.views.three_states import Box, Ticks
from users.views.users import LISTING, to

PREVIEWED: Final = 100
MOST_TYPED: Final = 50  # a field for each
LONGEST_ACCOUNT: Final = 320
WARNED: Final = frozenset({Role.PORTAL_WIPE, Role.PORTAL_UNLOCK})
WARNINGS: Final[Mapping[str, str | Promise]] = {
    Role.PORTAL_WIPE: gettext_lazy("Erases the device for good. This cannot be undone."),
    Role.PORTAL_UNLOCK: gettext_lazy("Removes the passcode of the device. Never use it on a lost device."),
    Role.PORTAL_RESET_PIN: gettext_lazy("The registration PIN."),
    Role.PORTAL_RESET_SECURE_APPS: gettext_lazy("Kept for compatibility. It has no effect."),
    Role.ADDE: gettext_lazy("The device counts as company-owned."),
    Role.AAUE: gettext_lazy("The device counts as employee-owned."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The dialog as it opens, or as somebody has filled it in."""

    ticks: Ticks
    source: Source
    accounts: Mapping[int, str] = field(default_factory=dict)  # as typed, by person
    accounts_were: Mapping[int, str] = field(default_factory=dict)  # when the dialog was opened
    pattern: str = DEFAULT_PATTERN
    attribute: str = UPN
    replaces: bool = False
    retires: frozenset[str] = frozenset()
    skips: bool = False

    @classmethod
    def opened(cls, whom: Chosen) -> "Filled":
        """What changes nothing."""
        people = whom.people
        if whom.is_many:
            ticks = _ticks_of_many(whom)
            have_all = not whom.everyone.filter(managed_apple_account=None).exists()
        else:
            ticks = Ticks.of([[grant.key for grant in user.role_grants.all()] for user in people])
            have_all = all(user.managed_apple_account for user in people)
        source = Source.TYPED if len(people) == 1 else Source.KEEP if have_all else Source.PATTERN
        accounts = {user.pk: user.managed_apple_account or "" for user in people}
        return cls(ticks=ticks, source=source, accounts=accounts, accounts_were=accounts)

    @classmethod
    def read(cls, sent: QueryDict, people: Sequence[User]) -> "Filled":
        source, attribute = sent.get("source", ""), sent.get("attribute", "")
        return cls(
            ticks=Ticks.read(sent, Role.values),
            source=Source(source) if source in {*map(str, Source)} else Source.KEEP,
            accounts={user.pk: sent.get(f"account_{user.pk}", "")[:LONGEST_ACCOUNT] for user in people},
            accounts_were={user.pk: sent.get(f"account_was_{user.pk}", "")[:LONGEST_ACCOUNT] for user in people},
            pattern=sent.get("pattern", ""),
            attribute=attribute if attribute in ATTRIBUTES else UPN,
            replaces=bool(sent.get("replaces")),
            retires=frozenset(sent.getlist("retires")) & ACCOUNT_DRIVEN,
            skips=bool(sent.get("skip")),
        )

    @property
    def change(self) -> Change:
        """What was changed alone: the rest may be changed by somebody else meanwhile."""
        typed = {key: text for key, text in self.accounts.items() if text.strip() != self.accounts_were[key].strip()}
        return Change(
            granted=self.ticks.granted,
            removed=self.ticks.removed,
            source=self.source,
            typed=typed,
            text=self.attribute if self.source is Source.ATTRIBUTE else self.pattern,
            replaces=self.replaces,
            retires=self.retires & self.ticks.removed,
        )


def _ticks_of_many(whom: Chosen) -> Ticks:
    grants = RoleGrant.objects.filter(user__in=whom.everyone.order_by().values("pk")).order_by()
    return Ticks.counted(dict(grants.values_list("key").annotate(Count("pk"))), whom.number)


@sensitive_post_parameters("password")
@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to, may_be_many=True)
    except InvalidPerson as error:
        return refused(request, str(error))
    if not whom.is_sent:
        return _dialog(request, whom, Filled.opened(whom))
    filled = Filled.read(request.POST, whom.people)
    change = filled.change
    planned = role_plan.plan(whom.people, change)
    failing = sum(1 for each in planned if each.problem)
    if failing == len(planned) or (failing and not filled.skips):
        return _dialog(request, whom, filled, planned=planned, is_refused=True, status=422)
    if change.retires:
        permissions.require(request, AdminRole.DEVICE_MANAGE)
        step_up = StepUp(request)
        if not step_up.is_passed():
            return _dialog(request, whom, filled, planned=planned, step_up=step_up, status=step_up.status)
    if whom.is_many:
        return people_runs.begin(request, whom, people_actions.ROLES, people_actions.packed(change))
    return _saved(request, whom, change, planned)


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """What Save would do, while the dialog is being filled in."""
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to, may_be_many=True)
    except InvalidPerson as error:
        return refused(request, str(error))
    filled = Filled.read(request.POST, whom.people)
    planned = role_plan.plan(whom.people, filled.change)
    context = whom.context() | _previewed(request, whom, planned, filled)
    return render(request, "portal/people/role_preview.html", context)


def _dialog(
    request: HttpRequest,
    whom: Chosen,
    filled: Filled,
    *,
    planned: Sequence[Planned] | None = None,
    step_up: StepUp | None = None,
    is_refused: bool = False,
    status: int = 200,
) -> HttpResponse:
    boxes = {str(role): _box(role, filled.ticks) for role in Role}
    planned = role_plan.plan(whom.people, filled.change) if planned is None else planned
    may_type = whom.number <= MOST_TYPED
    context = {
        "is_refused": is_refused,
        "portal": boxes[Role.PORTAL],
        "portal_children": [box for key, box in boxes.items() if key in PORTAL_CHILDREN],
        "account_driven": [box for key, box in boxes.items() if key in ACCOUNT_DRIVEN],
        "sources": _sources(is_one=len(whom.people) == 1, may_type=may_type),
        "source": filled.source,
        "typed": [
            (user, filled.accounts[user.pk], filled.accounts_were[user.pk])
            for user in (whom.people if may_type else ())
        ],
        "pattern": filled.pattern,
        "attribute": filled.attribute,
        "attributes": list(ATTRIBUTES),
        "replaces": filled.replaces,
        "placeholders": ", ".join(f"{{{name}}}" for name in VALUES),
        "account_help": accounts.wanted_sentence(),
        "form": step_up and step_up.form,
    }
    context |= whom.context() | _previewed(request, whom, planned, filled)
    return render(request, "portal/people/roles.html", context, status=status)


def _box(role: Role, ticks: Ticks) -> Box:
    return ticks.box(role.value, role.label, note=WARNINGS.get(role, ""), is_warning=role in WARNED)


def _sources(*, is_one: bool, may_type: bool) -> list[tuple[Source, str]]:
    sources = {
        Source.KEEP: _("Keep each person's account"),
        Source.TYPED: _("Typed"),
        Source.ATTRIBUTE: _("From a directory attribute"),
        Source.PATTERN: _("From a pattern"),
    }
    left_out = {Source.KEEP} if is_one else set() if may_type else {Source.TYPED}
    return [(source, label) for source, label in sources.items() if source not in left_out]


def _previewed(request: HttpRequest, whom: Chosen, planned: Sequence[Planned], filled: Filled) -> dict[str, Any]:
    """Those that would fail come first."""
    failing = [each for each in planned if each.problem]
    fine = [each for each in planned if not each.problem and each.is_new]
    shown = [*failing, *fine][:PREVIEWED]
    return {
        "planned": shown,
        "failing": len(failing),
        "going": len(planned) - len(failing),
        "not_shown": len(failing) + len(fine) - len(shown),
        "asks_account": bool(filled.ticks.on & ACCOUNT_DRIVEN),
        "notes": roles.without_effect(frozenset[str]().union(*(each.after for each in planned))),
        "switch_address": reverse("portal:settings-ios-mdm"),
        "has_both": any(each.after >= ACCOUNT_DRIVEN for each in planned),
        "retirements": _retirements(request, whom, filled),
        "skips": filled.skips,
    }


def _retirements(request: HttpRequest, whom: Chosen, filled: Filled) -> list[tuple[str, str, bool]]:
    """For who manages devices: those that were enrolled with a role which is taken away may go with it."""
    revoked = filled.ticks.removed & ACCOUNT_DRIVEN
    if not revoked or not permissions.may(request, AdminRole.DEVICE_MANAGE):
        return []
    people: Any = whom.everyone.order_by().values("pk") if whom.is_many else [user.pk for user in whom.people]
    devices = apps.get_model("devices", "Device").objects.enrolled().filter(user__in=people)
    offered = []
    for key in sorted(revoked):
        if n := devices.filter(enrollment_type=key.rpartition(".")[2]).count():
            sentence = _("Also retire the devices that were enrolled with the role “{role}”: {n}")
            offered.append((key, sentence.format(n=grouped(n), role=Role(key).label), key in filled.retires))
    return offered


def _saved(request: HttpRequest, whom: Chosen, change: Change, planned: Sequence[Planned]) -> HttpResponse:
    actor = administrator(request).user_id
    results = [(each, _problem(each, change, actor)) for each in planned]
    failed = sum(1 for _each, problem in results if problem)
    if len(results) == 1 and not failed:
        return done(request, _("The roles of {name} are saved.").format(name=whom.people[0].display_name))
    saved = len(results) - failed
    context = whom.context() | {
        "heading": _("Roles saved for people: {n}").format(n=grouped(saved)),
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
