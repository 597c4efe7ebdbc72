"""Services > Webhooks > Deliveries: what was told to whom, what came of it, and what is told again."""

import json
from typing import Final
from urllib.parse import parse_qsl

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from epmm import webhook_message, webhooks
from epmm.models import Webhook, WebhookDelivery
from epmm.portal.filters import Filter, Filters, narrowed
from epmm.portal.lists import Action, Badge, Cell, Column, Link, Listing, ticked
from epmm.webhooks import WebhookRefused
from users import permissions
from users.models import AdminRole
from users.views import chosen
from users.views.dialogs import GO, administrator, done, refused

LONGEST_ADDRESS: Final = 4000
TONES: Final = {
    WebhookDelivery.State.QUEUED: "waiting",
    WebhookDelivery.State.DELIVERED: "good",
    WebhookDelivery.State.DEAD: "bad",
}
REDELIVER: Final = Action(label=gettext_lazy("Deliver again"), name="services-webhooks-redeliver", icon="refresh-cw")


def _event(delivery: WebhookDelivery) -> Cell:
    return Link(delivery.event.kind, reverse("portal:services-webhooks-delivery", args=[delivery.pk]))


def _state(delivery: WebhookDelivery) -> Badge:
    return Badge(delivery.get_state_display(), TONES[WebhookDelivery.State(delivery.state)])


def _next(delivery: WebhookDelivery) -> Cell:
    return delivery.next_at if delivery.state == WebhookDelivery.State.QUEUED else None


LISTING: Final = Listing[WebhookDelivery](
    name="services-webhooks-deliveries",
    title=gettext_lazy("Deliveries"),
    columns=(
        Column(key="event", label=gettext_lazy("Event"), value=_event),
        Column(key="at", label=gettext_lazy("Time"), value=lambda row: row.event.at, order="id"),
        Column(key="webhook", label="Webhook", value=lambda row: row.webhook.name),
        Column(key="subject", label=gettext_lazy("About"), value=lambda row: row.subject),
        Column(key="state", label=gettext_lazy("State"), value=_state),
        Column(key="attempts", label=gettext_lazy("Attempts"), value=lambda row: row.attempts),
        Column(key="status", label=gettext_lazy("Answer"), value=lambda row: row.status),
        Column(key="duration", label=gettext_lazy("Duration (ms)"), value=lambda row: row.milliseconds),
        Column(key="next", label=gettext_lazy("Next attempt"), value=_next),
        Column(key="excerpt", label=gettext_lazy("Said"), value=lambda row: row.excerpt, is_shown=False),
    ),
    sorted_by="-at",
    empty=gettext_lazy("Nothing was told yet."),
)


def _filters() -> tuple[Filter, ...]:
    named = [(str(pk), name) for pk, name in Webhook.objects.order_by("name").values_list("pk", "name")]
    return (
        Filter(key="webhook", label="Webhook", lookup="webhook", values=named or [("", "")]),
        Filter(key="state", label=gettext_lazy("State"), lookup="state", values=WebhookDelivery.State.choices),
    )


@require_safe
def listed(request: HttpRequest) -> HttpResponseBase:
    filters = Filters(request, _filters())
    # joined, SQLite would begin with the few webhooks, and put all their deliveries in order for each page
    told = Prefetch("webhook", Webhook.objects.only("name"))
    rows = WebhookDelivery.objects.select_related("event").defer("event__data").prefetch_related(told)
    view = LISTING.view(request, filters.apply(rows))
    if request.GET.get("format") == "csv":
        return view.csv()
    may_manage = permissions.may(request, AdminRole.SETTINGS_MANAGE)
    context = view.context() | filters.context()
    context |= {
        "actions": [REDELIVER] if may_manage else [],
        "back": Link("Webhooks", reverse("portal:services-webhooks")),
    }
    return render(request, "portal/services/webhook_deliveries.html", context)


@require_safe
def one(request: HttpRequest, number: int) -> HttpResponse:
    delivery = get_object_or_404(WebhookDelivery.objects.select_related("webhook", "event"), pk=number)
    may_see = permissions.may(request, AdminRole.DEVICE_VIEW)
    content = webhook_message.body(delivery.event, delivery.webhook.hidden_fields) if may_see else b"null"
    chosen_list = urlencode({"webhook": delivery.webhook_id})
    context = {
        "delivery": delivery,
        "state": _state(delivery),
        "next_at": _next(delivery),
        "content": json.dumps(json.loads(content), indent=2, ensure_ascii=False) if may_see else "",
        "back": Link(str(_("Deliveries")), f"{reverse('portal:services-webhooks-deliveries')}?{chosen_list}"),
        "may_manage": permissions.may(request, AdminRole.SETTINGS_MANAGE),
    }
    return render(request, "portal/services/webhook_delivery.html", context)


@require_POST
def redeliver(request: HttpRequest) -> HttpResponse:
    """The ticked ones, all that match the list, or all dead letters of the webhook that `number` names."""
    rows = _asked_for(request)
    number = rows.count()
    if not number:
        return refused(request, _("There is nothing to deliver again."))
    if GO not in request.POST:
        kept = [(name, value) for name in ("all", "matching", "number", "row") for value in request.POST.getlist(name)]
        return render(request, "portal/services/webhook_redeliver.html", {"count": number, "kept": kept})
    actor, again = administrator(request).user_id, 0
    for webhook in Webhook.objects.filter(pk__in=rows.order_by().values("webhook")):
        try:
            again += webhooks.redeliver(webhook, rows, actor=actor)
        except WebhookRefused as refusal:
            return refused(request, f"{webhook.name}: {refusal}")
    return done(request, _("On their way again: {number}.").format(number=again))


def _asked_for(request: HttpRequest) -> QuerySet[WebhookDelivery]:
    """What waits is on its way already."""
    rows = WebhookDelivery.objects.exclude(state=WebhookDelivery.State.QUEUED)
    if keys := chosen.keys(request.POST.getlist("number")):
        return rows.dead().filter(webhook__in=keys)
    if request.POST.get("all") != "1":
        return rows.filter(pk__in=chosen.keys(ticked(request)))
    return narrowed(rows, _filters(), dict(parse_qsl(request.POST.get("matching", "")[:LONGEST_ADDRESS])))
