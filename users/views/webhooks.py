"""Services > Webhooks: who is told what happens here."""

from typing import Final

from django.contrib import messages
from django.db.models import OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from epmm import events, webhooks
from epmm.models import Webhook, WebhookDelivery
from epmm.portal.counting import CountedTo
from epmm.portal.lists import Badge, Cell, Column, Link, Listing, counted
from epmm.rate_limit import limited
from epmm.webhooks import WebhookRefused
from users import permissions
from users.models import AdminRole
from users.views.dialogs import GO, administrator
from users.webhook_forms import WebhookForm

HERE: Final = "portal:services-webhooks"
DROP: Final = "drop"


def _name(webhook: Webhook) -> Cell:
    return Link(webhook.name, reverse("portal:services-webhooks-edit", args=[webhook.pk]))


def state(webhook: Webhook) -> Badge:
    if not webhook.is_enabled:
        return Badge(_("Given up"), "bad") if webhook.given_up_at else Badge(_("Off"), "plain")
    return Badge(_("Failing"), "waiting") if webhook.failing_since else Badge(_("On"), "good")


def _kinds(webhook: Webhook) -> str:
    return ", ".join(str(events.KINDS[name].label) for name in webhook.kinds if name in events.KINDS)


def _dead(webhook: Webhook) -> Cell:
    number = getattr(webhook, "dead", 0)
    return Link(counted(number), _deliveries(webhook, "dead")) if number else number


def _deliveries(webhook: Webhook, state: str = "") -> str:
    chosen = f"?webhook={webhook.pk}" + (f"&state={state}" if state else "")
    return reverse("portal:services-webhooks-deliveries") + chosen


def _find(found: QuerySet[Webhook], text: str) -> QuerySet[Webhook]:
    return found.filter(Q(name__icontains=text) | Q(url__icontains=text))


LISTING: Final = Listing[Webhook](
    name="services-webhooks",
    title="Webhooks",
    columns=(
        Column(key="name", label=gettext_lazy("Name"), value=_name, order="name"),
        Column(key="url", label=gettext_lazy("Address"), value=lambda row: row.url),
        Column(key="state", label=gettext_lazy("State"), value=state),
        Column(key="kinds", label=gettext_lazy("Events"), value=_kinds),
        Column(key="failing", label=gettext_lazy("Failing since"), value=lambda row: row.failing_since),
        Column(key="dead", label=gettext_lazy("Dead letters"), value=_dead),
    ),
    sorted_by="name",
    find=_find,
    search_hint=gettext_lazy("Name, address"),
    empty=gettext_lazy("There are no webhooks yet. Add one, and it is told as soon as something happens."),
)


@require_safe
def listed(request: HttpRequest) -> HttpResponseBase:
    dead = WebhookDelivery.objects.dead().filter(webhook=OuterRef("pk"))
    view = LISTING.view(request, Webhook.objects.defer("secret", "former_secret").annotate(dead=CountedTo(dead)))
    if request.GET.get("format") == "csv":
        return view.csv()
    context = view.context() | {"may_manage": permissions.may(request, AdminRole.SETTINGS_MANAGE)}
    return render(request, "portal/services/webhooks.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    return _form(request, Webhook())


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    return _form(request, get_object_or_404(Webhook, pk=number))


def _form(request: HttpRequest, webhook: Webhook) -> HttpResponse:
    may_manage = permissions.may(request, AdminRole.SETTINGS_MANAGE)
    if request.method == "POST":
        permissions.require(request, AdminRole.SETTINGS_MANAGE)
    form = WebhookForm(request.POST or None, webhook=webhook, is_read_only=not may_manage)
    if form.is_valid():
        filled, is_new = form.fill(), webhook.pk is None
        filled.is_enabled = is_new or "is_enabled" in request.POST
        try:
            secret = webhooks.save(filled, actor=administrator(request).user_id)
        except WebhookRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            if secret is not None:
                return render(request, "portal/services/webhook_added.html", {"webhook": filled, "secret": secret})
            messages.success(request, _("Saved. Send a test next."))
            return redirect("portal:services-webhooks-edit", filled.pk)
    now, kept = timezone.now(), Webhook.objects.filter(pk=webhook.pk).first()
    context = {
        "form": form,
        "webhook": kept or webhook,
        "state": state(kept) if kept else None,
        "may_manage": may_manage,
        "both_until": kept.former_until if kept and len(webhooks.in_force(kept, now)) > 1 else None,
        "deliveries": _deliveries(kept) if kept else "",
        "dead_letters": _deliveries(kept, "dead") if kept else "",
        "dead": kept.deliveries.dead().count() if kept else 0,
    }
    return render(request, "portal/services/webhook.html", context, status=422 if form.errors else 200)


@require_POST
def secret(request: HttpRequest, number: int) -> HttpResponse:
    """**New secret**: it is shown this once; or the former one goes before its time."""
    webhook = get_object_or_404(Webhook, pk=number)
    actor = administrator(request).user_id
    if DROP in request.POST:
        webhooks.drop_former(webhook, actor=actor)
        messages.success(request, _("The former secret no longer signs."))
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    shown = webhooks.rotate(webhook, actor=actor) if GO in request.POST else None
    return render(request, "portal/services/webhook_secret.html", {"webhook": webhook, "secret": shown})


@limited
@require_POST
def test(request: HttpRequest, number: int) -> HttpResponse:
    """**Send test**.  Only what is stored is asked."""
    webhook = get_object_or_404(Webhook, pk=number)
    outcome = webhooks.test(webhook, actor=administrator(request).user_id)
    return render(request, "portal/services/webhook_test.html", {"webhook": webhook, "outcome": outcome})


@require_POST
def delete(request: HttpRequest, number: int) -> HttpResponse:
    webhook = get_object_or_404(Webhook, pk=number)
    if GO not in request.POST:
        return render(request, "portal/services/webhook_delete.html", {"webhook": webhook})
    webhooks.delete(webhook, actor=administrator(request).user_id)
    messages.success(request, _("{name} is deleted.").format(name=webhook.name))
    return HttpResponse(status=204, headers={"HX-Redirect": reverse(HERE)})
