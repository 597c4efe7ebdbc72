import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from epmm import webhook_message, webhooks
from epmm.models import Webhook, WebhookDelivery
from epmm.webhooks import WebhookRefused

ACTOR = "manage.py"
State = WebhookDelivery.State


class Command(BaseCommand):
    help = "List the webhooks, send one a test, or deliver its dead letters again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["list", "test", "redeliver"])
        parser.add_argument("name", nargs="?")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["what"]:
            case "list":
                self._list(as_json=options["json"])
            case "test":
                self._test(_named(options["name"]), as_json=options["json"])
            case "redeliver":
                self._redeliver(_named(options["name"]), as_json=options["json"])

    def _list(self, *, as_json: bool) -> None:
        counts = {
            state: Count("deliveries", filter=Q(deliveries__state=value))
            for state, value in (("waiting", State.QUEUED), ("dead", State.DEAD))
        }
        found = [_told(webhook) for webhook in Webhook.objects.annotate(**counts).order_by("name")]
        if as_json:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for webhook in found:
            webhook["state"] = "on" if webhook["is_enabled"] else "off"
            self.stdout.write("{name}  {url}  {state}  waiting: {waiting}  dead: {dead}".format(**webhook))

    def _test(self, webhook: Webhook, *, as_json: bool) -> None:
        outcome = webhooks.test(webhook, actor=ACTOR)
        told = {"status": outcome.status, "milliseconds": outcome.milliseconds, "excerpt": outcome.excerpt}
        if as_json:
            self.stdout.write(json.dumps(told, indent=2))
        elif outcome.is_taken:
            self.stdout.write(f"{outcome.status} ({outcome.milliseconds} ms)")
        if not outcome.is_taken:
            raise CommandError(f"{outcome.status or ''} {outcome.excerpt}".strip())

    def _redeliver(self, webhook: Webhook, *, as_json: bool) -> None:
        try:
            again = webhooks.redeliver(webhook, actor=ACTOR)
        except WebhookRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(json.dumps({"deliveries": again}) if as_json else str(again))


def _named(name: str | None) -> Webhook:
    webhook = Webhook.objects.filter(name=name or "").first()
    if webhook is None:
        names = ", ".join(Webhook.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(_("There is no webhook {name}.").format(name=name or "") + f" {names}".rstrip())
    return webhook


def _told(webhook: Webhook) -> dict[str, Any]:
    return {
        "uuid": str(webhook.uuid),
        "name": webhook.name,
        "url": webhook.url,
        "is_enabled": webhook.is_enabled,
        "kinds": webhook.kinds,
        "hidden_fields": webhook.hidden_fields,
        "failing_since": webhook_message.moment(webhook.failing_since),
        "waiting": getattr(webhook, "waiting", 0),
        "dead": getattr(webhook, "dead", 0),
    }
