"""Webhooks: set up, tested, deleted; see `webhook_deliveries.py` for what was told."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from epmm import events, masking, webhooks
from epmm.api import problems
from epmm.api.errors import tells
from epmm.api.fields import Flag, Given, Text, Told
from epmm.models import Webhook, WebhookDelivery
from epmm.portal.keyset import Order
from epmm.webhooks import WebhookRefused
from users.api import throttling
from users.api.x.base import All, Deleted, Done, Listed, Patched, XView, found
from users.services.idempotency import Answer
from users.webhook_forms import COLUMNS, LONGEST_ADDRESS, LONGEST_NAME, WebhookForm

NAMES: Final = {"personal": "hidden_fields", "kinds": "events"}  # where the form has another
EXAMPLE: Final[dict[str, Any]] = {
    "uuid": "4f1d7c02-7b1c-4d0f-9a55-3c8f3a8f1a01",
    "name": "SIEM",
    "url": "https://hooks.example.com/epmm",
    "events": ["device.enrolled", "device.retired"],
    "hidden_fields": ["email"],
    "enabled": True,
    "created_at": "2025-01-01T12:00:00Z",
    "failing_since": None,
    "given_up_at": None,
    "former_secret_until": None,
    "dead_letters": 0,
}

tells(WebhookRefused, 422, "webhook.refused")


class WebhookTold(Told):
    example = EXAMPLE
    uuid = serializers.UUIDField(help_text="By which the addresses name it.")
    name = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField(), source="kinds")
    hidden_fields = serializers.ListField(child=serializers.CharField(), help_text="Personal data it is not told.")
    enabled = serializers.BooleanField(source="is_enabled")
    created_at = serializers.DateTimeField()
    failing_since = serializers.DateTimeField(allow_null=True, help_text="It takes nothing; null: it does.")
    given_up_at = serializers.DateTimeField(allow_null=True, help_text="Switched off after days of failure.")
    former_secret_until = serializers.DateTimeField(
        allow_null=True, source="former_until", help_text="The secret before signs as well until then."
    )
    dead_letters = serializers.IntegerField(source="dead")


class WebhookWithSecret(WebhookTold):
    example = EXAMPLE | {"secret": "whsec_dGhpcyBpcyBhbiBleGFtcGxlLCBhbmQgbm8gc2VjcmV0"}
    secret = serializers.CharField(source="shown_secret", help_text="Shown here alone.")


class NewWebhook(Given):
    example = {"name": "SIEM", "url": "https://hooks.example.com/epmm", "events": ["device.enrolled"]}
    name = Text(max_length=LONGEST_NAME)
    url = Text(max_length=LONGEST_ADDRESS, help_text="`https://`; inside networks where the server allows it.")
    events = serializers.ListField(child=Text(max_length=64), min_length=1, help_text="See `webhook_events`.")
    hidden_fields = serializers.ListField(
        child=serializers.ChoiceField(list(masking.FIELDS)), default=list, help_text="Arrive as asterisks, or empty."
    )
    enabled = Flag(default=True)


class WebhookChange(Given):
    example = {"events": ["device.enrolled", "certificate.expiring"], "enabled": True}
    name = Text(max_length=LONGEST_NAME, required=False)
    url = Text(max_length=LONGEST_ADDRESS, required=False)
    events = serializers.ListField(child=Text(max_length=64), min_length=1, required=False)
    hidden_fields = serializers.ListField(child=serializers.ChoiceField(list(masking.FIELDS)), required=False)
    enabled = Flag(required=False, help_text="What waits for one that is switched off is a dead letter.")


def known() -> QuerySet[Webhook]:
    """With the number of its dead letters."""
    is_dead = Q(deliveries__state=WebhookDelivery.State.DEAD)
    return Webhook.objects.annotate(dead=Count("deliveries", filter=is_dead))


def one(uuid: UUID, *, locked: bool = False) -> Webhook:
    """Raises Http404."""
    return found(Webhook.objects.all() if locked else known(), locked=locked, uuid=uuid)


class _State(XView):
    def state(self, row: Webhook) -> Sequence[Any]:
        return (row.pk, row.name, row.url, row.is_enabled, sorted(row.kinds), sorted(row.hidden_fields))

    def filled(self, webhook: Webhook) -> Webhook:
        """By what is given, judged by the form of the portal.  Raises ApiError."""
        given = self.given
        asked = {name: given.get(NAMES.get(name, name), getattr(webhook, column)) for name, column in COLUMNS.items()}
        form = WebhookForm(asked, webhook=webhook)
        if not form.is_valid():
            raise problems.invalid_fields({NAMES.get(name, name): said for name, said in form.errors.items()})
        webhook = form.fill()
        webhook.is_enabled = given.get("enabled", webhook.is_enabled)
        return webhook

    def with_secret(self, webhook: Webhook, secret: str | None, *, location: str = "") -> Answer:
        row = one(webhook.uuid)
        row.shown_secret = secret  # type: ignore[attr-defined] # to be told
        return self.answer(row, location=location)


class Webhooks(Listed[Webhook], Done, _State):
    says = {"GET": "Webhooks: who is told what happens.", "POST": "Add a webhook; its secret is told this once."}
    orders = {"": Order("name")}
    item = WebhookTold
    takes = {"POST": NewWebhook}
    tells = {"POST": WebhookWithSecret}
    status = {"POST": 201}
    tagged = frozenset({"POST"})
    told_parameters = frozenset({"name", "events", "hidden_fields", "enabled"})

    def rows(self) -> QuerySet[Webhook]:
        return known()

    def perform(self, _prepared: None) -> Answer:
        webhook = self.filled(Webhook())
        secret = webhooks.save(webhook, actor=self.actor)
        return self.with_secret(webhook, secret, location=reverse("api:x-webhooks-one", args=[webhook.uuid]))


class OneWebhook(Patched[Webhook], Deleted[Webhook], _State):
    says = {
        "GET": "One webhook.",
        "PATCH": "Change what a webhook is told and where, or switch it on and off.",
        "DELETE": "Delete a webhook with its deliveries.",
    }
    takes = {"PATCH": WebhookChange}
    tells = {"GET": WebhookTold, "PATCH": WebhookTold, "DELETE": None}
    tagged = frozenset({"GET", "PATCH"})
    matched = frozenset({"PATCH", "DELETE"})
    told_parameters = frozenset({"name", "events", "hidden_fields", "enabled"})

    def row(self, *, locked: bool, uuid: UUID) -> Webhook:  # type: ignore[override] # its own place
        return one(uuid, locked=locked)

    def edit(self, row: Webhook) -> None:
        webhooks.save(self.filled(row), actor=self.actor)

    def remove(self, row: Webhook) -> None:
        webhooks.delete(row, actor=self.actor)


class NewSecret(Done, _State):
    says = {"POST": "Give a webhook a new secret, told this once; for a day the one before signs as well."}
    tells = {"POST": WebhookWithSecret}

    def perform(self, _prepared: None) -> Answer:
        webhook = one(self.kwargs["uuid"], locked=True)
        return self.with_secret(webhook, webhooks.rotate(webhook, actor=self.actor))


class FormerSecret(XView):
    says = {"DELETE": "Let the secret before sign no more, at once."}
    tells = {"DELETE": None}

    def delete(self, _request: Request, uuid: UUID) -> Response:
        with transaction.atomic():
            webhooks.drop_former(one(uuid, locked=True), actor=self.actor)
        return Response(status=204)


class WebhookTestTold(Told):
    example = {"taken": True, "status": 204, "milliseconds": 87, "excerpt": ""}
    taken = serializers.BooleanField(source="is_taken")
    status = serializers.IntegerField(allow_null=True, help_text="Null: no answer came.")
    milliseconds = serializers.IntegerField()
    excerpt = serializers.CharField(help_text="Of the answer, or why there was none.")


class TestWebhook(XView):
    __test__ = False
    says = {"POST": "Tell a webhook an event of its own, at once; that takes up to 10 seconds."}
    tells = {"POST": WebhookTestTold}

    def post(self, _request: Request, uuid: UUID) -> Response:
        webhook = one(uuid)
        throttling.admit_elsewhere()
        return Response(self.shown(webhooks.test(webhook, actor=self.actor)))


class WebhookEventTold(Told):
    example = {"name": "device.enrolled", "label": "A device is enrolled"}
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment] # the framework has the name, too


class Kinds(All):
    says = {"GET": "Which events webhooks can be told."}
    item = WebhookEventTold

    def items(self) -> Sequence[events.Kind]:
        return webhooks.choosable()
