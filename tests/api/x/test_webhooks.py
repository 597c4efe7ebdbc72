"""Webhooks as scripts see to them: set up, tested, and told again what was given up."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from epmm import events, webhook_outbox
from epmm.events import Fact
from epmm.models import AuditEntry, Webhook, WebhookDelivery
from tests import receivers
from tests.api.conftest import Script, basic, make_caller
from tests.api.x.conftest import X, problem
from tests.receivers import Receiver
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
KEY = {"Idempotency-Key": "siem-1"}


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    with receivers.listening() as receiver:
        yield receiver


def siem(url: str = "https://hooks.example/", **more: Any) -> dict[str, Any]:
    return {"name": "SIEM", "url": url, "events": ["device.enrolled"], **more}


def happen(*names: str) -> None:
    with transaction.atomic():
        facts = [Fact(subject=name, data={"device": {"common.uuid": name}}) for name in names]
        events.emit(events.KINDS["device.enrolled"], lambda: facts)


def test_a_webhook_is_set_up_once_and_changed_by_who_has_read_it(script: Script) -> None:
    assert "device.enrolled" in [each["name"] for each in script.get("webhook_events")["items"]]
    made = script.ask("POST", "webhooks", siem(hidden_fields=["email"]), **KEY)
    assert made.status_code == 201, made.content
    secret = made.json()["secret"]
    assert secret.encode() == bytes(Webhook.objects.get().secret)
    again = script.ask("POST", "webhooks", siem(hidden_fields=["email"]), **KEY)
    assert (again["Idempotency-Replayed"], again.json()) == ("true", made.json())

    where = made["Location"]
    read = script.ask("GET", where)
    assert "secret" not in read.json()
    change = {"events": ["device.retired"], "enabled": False}
    problem(script.ask("PATCH", where, change), 428)
    changed = script.ask("PATCH", where, change, **{"If-Match": read["ETag"]})
    assert (changed.status_code, changed.json()["events"], changed.json()["enabled"]) == (
        200,
        ["device.retired"],
        False,
    )
    assert changed.json()["hidden_fields"] == ["email"]
    problem(script.ask("PATCH", where, change, **{"If-Match": read["ETag"]}), 412)

    other = script.ask("POST", f"{where}/secret").json()
    assert other["secret"] != secret
    assert other["former_secret_until"]
    assert script.ask("DELETE", f"{where}/secret/former").status_code == 204
    assert script.get(where)["former_secret_until"] is None
    assert [each["name"] for each in script.get("webhooks")["items"]] == ["SIEM"]
    assert script.ask("DELETE", where, **{"If-Match": "*"}).status_code == 204
    assert not Webhook.objects.exists()
    assert "whsec_" not in str(list(AuditEntry.objects.values_list("details")))
    entries = AuditEntry.objects.filter(subject="SIEM").order_by("pk").values_list("action", flat=True)
    assert [action.removeprefix("webhook.") for action in entries] == [
        "added", "changed", "secret_changed", "former_secret_dropped", "deleted",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": "Taken"}, "#/name"),
        ({"url": "ftp://hooks.example/"}, "#/url"),
        ({"events": ["nonsense"]}, "#/events"),
        ({"events": []}, "#/events"),
        ({"hidden_fields": ["shoe_size"]}, "#/hidden_fields/0"),
        ({"enabled": "no"}, "#/enabled"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_webhook_is_pointed_at(script: Script, changes: Any, pointer: str) -> None:
    script.ask("POST", "webhooks", siem(name="Taken"))

    told = problem(script.ask("POST", "webhooks", siem(**changes)), 422)
    assert [each["pointer"] for each in told["errors"]] == [pointer]
    assert Webhook.objects.count() == 1


def test_dead_letters_are_seen_and_delivered_again(script: Script, receiver: Receiver) -> None:
    where = script.ask("POST", "webhooks", siem(receiver.url)).json()["uuid"]
    tested = script.ask("POST", f"webhooks/{where}/test").json()
    assert (tested["taken"], tested["status"], receiver.told[0]["type"]) == (True, 204, "webhook.test")
    happen("phone", "tablet")
    webhook_outbox.spread()
    WebhookDelivery.objects.update(state="dead", attempts=14)

    dead = script.get(f"webhook_deliveries?webhook={where}&state=dead")["items"]
    assert [each["subject"] for each in dead] == ["tablet", "phone"]
    assert script.get(f"webhooks/{where}")["dead_letters"] == 2
    one = f"webhook_deliveries/{dead[0]['id']}"
    assert script.get(one)["body"]["device"] == {"common.uuid": "tablet"}
    again = script.ask("POST", f"{one}/redeliver", **KEY)
    assert (again.json()["state"], again.json()["attempts"]) == ("queued", 0)
    assert script.ask("POST", f"{one}/redeliver", **KEY)["Idempotency-Replayed"] == "true"
    problem(script.ask("POST", f"{one}/redeliver"), 409)
    assert script.ask("POST", f"webhooks/{where}/redeliver").json() == {"deliveries": 1}
    webhook_outbox.drain()
    assert {each["device"]["common.uuid"] for each in receiver.told[1:]} == {"phone", "tablet"}
    assert {each["state"] for each in script.get("webhook_deliveries")["items"]} == {"delivered"}

    script.ask("PATCH", f"webhooks/{where}", {"enabled": False}, **{"If-Match": "*"})
    assert "off" in problem(script.ask("POST", f"webhooks/{where}/redeliver"), 422)["detail"]


def test_what_is_sent_is_seen_by_who_may_see_devices(script: Script) -> None:
    script.ask("POST", "webhooks", siem())
    happen("phone")
    webhook_outbox.spread()
    make_caller("viewer", [AdminRole.API, AdminRole.SETTINGS_VIEW])
    viewer = Script(basic("viewer"), base=X)

    [delivery] = viewer.get("webhook_deliveries")["items"]
    assert viewer.get(f"webhook_deliveries/{delivery['id']}")["body"] is None
