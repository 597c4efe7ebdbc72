"""What webhooks were told, what came of it, and what is told again."""

import json
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers

from epmm import webhook_message, webhooks
from epmm.api.errors import ApiError
from epmm.api.fields import Cursor, Told
from epmm.models import WebhookDelivery
from epmm.portal.keyset import Order
from users import permissions
from users.api.x.base import Done, Listed, One, found
from users.api.x.webhooks import one
from users.models import AdminRole
from users.services.idempotency import Answer

EXAMPLE: Final[dict[str, Any]] = {
    "id": 4711,
    "webhook": "4f1d7c02-7b1c-4d0f-9a55-3c8f3a8f1a01",
    "event": "0b7c9a52-1f0e-4f5c-8a55-3c8f3a8f1a01",
    "type": "device.enrolled",
    "at": "2025-01-01T12:00:00Z",
    "subject": "9b0da853-7b1c-4d0f-9a55-3c8f3a8f1a01",
    "state": "dead",
    "attempts": 14,
    "next_at": None,
    "tried_at": "2025-01-02T12:00:00Z",
    "status": 500,
    "milliseconds": 87,
    "excerpt": "Internal Server Error",
}


class WebhookDeliveryTold(Told):
    example = EXAMPLE
    id = serializers.IntegerField(source="pk")
    webhook = serializers.UUIDField(source="webhook.uuid")
    event = serializers.UUIDField(source="event.uuid", help_text="As the receiver gets it in `id`.")
    type = serializers.CharField(source="event.kind")
    at = serializers.DateTimeField(source="event.at")
    subject = serializers.CharField(help_text="What it is about; those of one subject come in their order.")
    state = serializers.ChoiceField(WebhookDelivery.State.choices, help_text="`dead`: given up, a dead letter.")
    attempts = serializers.IntegerField()
    next_at = serializers.SerializerMethodField(help_text="Of one that waits.")
    tried_at = serializers.DateTimeField(allow_null=True)
    status = serializers.IntegerField(allow_null=True, help_text="Of the last answer; null: none came.")
    milliseconds = serializers.IntegerField(allow_null=True)
    excerpt = serializers.CharField(help_text="Of the last answer, or why there was none.")

    def get_next_at(self, row: WebhookDelivery) -> str | None:
        return webhook_message.moment(row.next_at) if row.state == WebhookDelivery.State.QUEUED else None


class WebhookDeliveryWithBody(WebhookDeliveryTold):
    example = EXAMPLE | {"body": {"id": EXAMPLE["event"], "type": "device.enrolled", "version": 1}}
    body = serializers.SerializerMethodField(help_text="What is sent; null to whoever may see no devices.")

    def get_body(self, row: WebhookDelivery) -> dict[str, Any] | None:
        http = self.context["view"].request._request
        if not permissions.may(http, AdminRole.DEVICE_VIEW):
            return None
        told: dict[str, Any] = json.loads(webhook_message.body(row.event, row.webhook.hidden_fields))
        return told


class Asked(Cursor):
    webhook = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(WebhookDelivery.State.choices, required=False)
    sort = serializers.ChoiceField(["-id", "id"], default="-id")


def known() -> QuerySet[WebhookDelivery]:
    rows = WebhookDelivery.objects.select_related("webhook", "event")
    return rows.defer("webhook__secret", "webhook__former_secret")


class Deliveries(Listed[WebhookDelivery]):
    says = {"GET": "What webhooks were told or will be, the newest first; dead letters are those in state `dead`."}
    asks = Asked
    orders = {"id": Order("pk")}
    item = WebhookDeliveryTold
    told_parameters = frozenset({"webhook", "state", "sort"})

    def rows(self) -> QuerySet[WebhookDelivery]:
        asked, rows = self.asked, known().defer("event__data")
        if "webhook" in asked:
            rows = rows.filter(webhook__uuid=asked["webhook"])
        return rows.filter(state=asked["state"]) if "state" in asked else rows


class OneDelivery(One[WebhookDelivery]):
    says = {"GET": "One delivery with what is sent."}
    tells = {"GET": WebhookDeliveryWithBody}

    def row(self, *, locked: bool, number: int) -> WebhookDelivery:  # type: ignore[override] # its own place
        return found(known(), locked=locked, pk=number)


class RedeliverOne(Done):
    says = {"POST": "Deliver once more, from the first attempt on, what was delivered or given up."}
    tells = {"POST": WebhookDeliveryTold}

    def perform(self, _prepared: None) -> Answer:
        row: WebhookDelivery = found(known(), locked=False, pk=self.kwargs["number"])
        if not webhooks.redeliver(row.webhook, WebhookDelivery.objects.filter(pk=row.pk), actor=self.actor):
            raise ApiError(409, "delivery.waits", _("This is on its way already."))
        return self.answer(found(known(), locked=False, pk=row.pk))


class RedeliveredTold(Told):
    example = {"deliveries": 12}
    deliveries = serializers.IntegerField(help_text="How many are on their way again.")


class Redeliver(Done):
    says = {"POST": "Deliver all dead letters of a webhook once more."}
    tells = {"POST": RedeliveredTold}

    def perform(self, _prepared: None) -> Answer:
        return self.answer({"deliveries": webhooks.redeliver(one(self.kwargs["uuid"]), actor=self.actor)})
