"""Settings > Users & Devices > Enrollment rules: what people of a group may enroll (portal specification, 9.2)."""

from typing import Any, Final

from django.contrib import messages
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from devices.models import Device
from enrollment.models import Rule
from enrollment.rule_forms import RuleForm
from enrollment.services import outlook, ruling
from epmm.portal import keyset, settings_tree
from epmm.portal.keyset import Order
from epmm.portal.lists import counted
from users.models import Membership
from users.views.dialogs import GO, administrator, asked_row, done
from users.views.settings import form_of, may_change, saved

SIZE: Final = 20
HERE: Final = "portal:settings-rules"


@require_http_methods(["GET", "HEAD", "POST"])
def listed(request: HttpRequest) -> HttpResponse:
    """The rules in their order, and the settings that decide between device limits."""
    form = form_of(request, settings_tree.RULES)
    if saved(request, form):
        return redirect(HERE)
    members = Membership.objects.filter(group=OuterRef("group")).order_by().values("group")
    found = ruling.in_order().annotate(members=Coalesce(Subquery(members.annotate(n=Count("pk")).values("n")), 0))
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    page = keyset.page(found, Order("position"), size=SIZE, after=after, before=before)
    context = settings_tree.context(settings_tree.RULES) | {
        "form": form,
        "can_change": may_change(request),
        "rules": [(rule, str(rule), _people(rule), _said(rule)) for rule in page.rows],
        "page": page,
    }
    return render(request, "portal/settings/rules.html", context, status=422 if form.errors else 200)


def _people(rule: Rule) -> str:
    if rule.group is None:
        return counted(ruling.reach(None, above=(), limit=None).people)
    return counted(getattr(rule, "members"))  # noqa: B009 - annotated


def _said(rule: Rule) -> list[tuple[str, str]]:
    """What it says, and nothing of the rest."""
    minima = ", ".join(each.replace("=", " ") for each in rule.listed("minimum_os"))
    told = (
        (_("Kinds of enrollment"), outlook.kinds_text(rule.listed("kinds"))),
        (_("Device limit"), "" if rule.device_limit is None else str(rule.device_limit)),
        (_("Kinds of device"), outlook.families_text(rule.listed("families"))),
        (_("Oldest allowed system"), minima.replace(*RENAMED)),
        (_("Owner"), str(Device.Owner(rule.owner).label) if rule.owner else ""),
        (_("Terms"), outlook.terms_text(rule)),
    )
    return [(subject, text) for subject, text in told if text]


RENAMED: Final = next(iter(outlook.FAMILY_NAMES.items()))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest) -> HttpResponse:
    """A dialog: a new rule, or the one that `number` names."""
    rule = asked_row(request, Rule)
    form = RuleForm(request.POST if GO in request.POST else None, rule=rule)
    if form.is_valid() and form.save(administrator(request).user_id) is not None:
        return done(request, _("Saved. It holds for enrollments from now on."))
    context = {"form": form, "rule": rule, "name": str(rule) if rule else ""}
    return render(request, "portal/settings/rule_edit.html", context, status=422 if form.errors else 200)


@require_POST
def touched(request: HttpRequest) -> HttpResponse:
    """How many people the rule in the dialog would touch, saved or not."""
    rule = asked_row(request, Rule)
    form = RuleForm(request.POST, rule=rule)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        limit = form.cleaned_data["device_limit"]
        reach = ruling.reach(form.group, above=ruling.groups_above(rule), limit=limit)
        context |= {"people": counted(reach.people), "is_nobody": not reach.people}
        context |= {"overruled": reach.overruled and counted(reach.overruled), "limit": limit}
        context |= {"beyond": reach.beyond and counted(reach.beyond)}
    return render(request, "portal/settings/rule_touched.html", context)


@require_POST
def move(request: HttpRequest) -> HttpResponse:
    rule = asked_row(request, Rule)
    is_up = request.GET.get("to") == "up"
    if rule is not None and ruling.move(rule, is_up=is_up, actor=administrator(request).user_id):
        messages.success(request, _("The order is changed."))
    return redirect(HERE)


@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    rule = asked_row(request, Rule)
    if rule is not None:
        name = str(rule)
        ruling.delete(rule, actor=administrator(request).user_id)
        messages.success(request, _("The rule for {name} is deleted.").format(name=name))
    return redirect(HERE)
