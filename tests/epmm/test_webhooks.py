"""Events on their way to real receivers: told, refused, told again, in order; and what stays of it."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from epmm import events, settings_store, webhook_message, webhook_outbox, webhooks
from epmm.events import Fact
from epmm.models import AuditEntry, Event, Webhook, WebhookDelivery
from epmm.webhook_transport import EACH, Outcome
from epmm.webhooks import WebhookRefused
from tests import receivers
from tests.receivers import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
KIND = events.declare("tests.happened", "Happened", personal={"user.user_id": "user_id", "address": "ip"})
QUEUED, DELIVERED, DEAD = WebhookDelivery.State.QUEUED, WebhookDelivery.State.DELIVERED, WebhookDelivery.State.DEAD


@pytest.fixture(autouse=True)
def _home(settings: Any) -> Iterator[None]:
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    settings_store.clear_cache()
    yield
    settings_store.clear_cache()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.listening() as receiver:
        yield receiver


def webhook(url: str, **changes: Any) -> Webhook:
    row = Webhook(**{"name": url, "url": url, "kinds": [KIND.name], **changes})
    webhooks.save(row, actor="test")
    return row


def happen(*names: str, **data: Any) -> None:
    """One event each, of the device of that name."""
    with transaction.atomic():
        events.emit(
            KIND, lambda: [Fact(subject=name, data={"device": {"common.uuid": name}, **data}) for name in names]
        )


def later(**filters: Any) -> None:
    """As if the time had come that it was put off to."""
    WebhookDelivery.objects.queued().filter(**filters).update(next_at=timezone.now(), taken_until=None)
    Webhook.objects.exclude(rests_until=None).update(rests_until=timezone.now())
    webhook_outbox.drain()


def states() -> list[str]:
    return list(WebhookDelivery.objects.order_by("pk").values_list("state", flat=True))


def test_an_event_is_told_signed_once_and_kept_in_the_log(receiver: Receiver) -> None:
    row = webhook(receiver.url)
    receiver.words = b"thank you"

    happen("phone", count=1)
    assert webhook_outbox.is_waiting()
    webhook_outbox.drain()

    (request,) = receiver.requests
    event = Event.objects.get()
    assert request.told == {
        "id": str(event.uuid),
        "type": "tests.happened",
        "version": 1,
        "time": re.sub(r"\d{3}\+00:00$", "Z", event.at.isoformat(timespec="microseconds")),
        "space": {"id": 1, "name": "Global"},
        "device": {"common.uuid": "phone"},
        "count": 1,
    }
    assert request.headers["EPMM-Event"] == str(event.uuid)
    assert re.fullmatch("v1=[0-9a-f]{64}", request.headers["EPMM-Signature"])
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.status, delivery.excerpt, delivery.attempts) == (DELIVERED, 204, "", 1)
    assert delivery.milliseconds is not None
    assert delivery.webhook == row
    assert not webhook_outbox.is_waiting()


def test_what_is_undone_is_not_told(receiver: Receiver) -> None:
    webhook(receiver.url)

    with transaction.atomic():
        happen("phone")
        transaction.set_rollback(True)

    assert not Event.objects.exists()


def test_what_nobody_wants_costs_nothing(receiver: Receiver, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    webhook(receiver.url, kinds=["tests.other"])
    events.is_wanted(KIND)
    with django_assert_num_queries(0):
        events.emit(KIND, lambda: pytest.fail("nobody wants it"))

    Webhook.objects.update(kinds=[KIND.name])
    events.remember_wanted()
    events.is_wanted(KIND)
    with transaction.atomic(), django_assert_num_queries(1):
        events.emit(KIND, lambda: [Fact(subject="phone", data={}) for _ in range(50)])
    assert webhook_outbox.spread() == 50


def test_a_killed_worker_tells_it_again(receiver: Receiver) -> None:
    webhook(receiver.url)
    happen("phone")
    webhook_outbox.spread()
    (taken,) = webhook_outbox.take()
    webhooks.tell(taken.webhook, taken.event)  # and here its process ends

    webhook_outbox.drain()
    assert len(receiver.requests) == 1, "it is in the hands of a worker"
    later()

    assert [told["id"] for told in receiver.told] == [str(taken.event.uuid)] * 2
    assert states() == [DELIVERED]
    webhook_outbox.store(taken, Outcome(status=500, milliseconds=1, excerpt=""))
    assert states() == [DELIVERED], "the one that was thought dead has no say any more"


def test_a_device_waits_for_its_turn_and_others_go_on(receiver: Receiver) -> None:
    webhook(receiver.url)
    receiver.refused = {"phone"}
    happen("phone", "tablet", number=1)
    happen("phone", "tablet", number=2)

    webhook_outbox.drain()
    assert sorted((told["device"]["common.uuid"], told["number"]) for told in receiver.told) == [
        ("phone", 1),
        ("tablet", 1),
        ("tablet", 2),
    ]
    assert states() == [QUEUED, DELIVERED, QUEUED, DELIVERED]
    assert not webhook_outbox.is_waiting(), "the second is put off with the first"
    happen("phone", number=3)
    webhook_outbox.drain()
    assert not webhook_outbox.is_waiting()

    receiver.refused, receiver.requests = set(), []
    later()

    assert [told["number"] for told in receiver.told] == [1, 2, 3]
    assert states() == [DELIVERED] * 5


def test_it_is_tried_less_and_less_often_and_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    webhook(receiver.url)
    receiver.status, receiver.words = 400, b"<p>" + "ß".encode() * 3000
    happen("phone")
    pauses = []
    for _ in range(webhook_outbox.MOST_ATTEMPTS - 1):
        later()
        delivery = WebhookDelivery.objects.get()
        assert delivery.tried_at is not None
        pauses.append(round((delivery.next_at - delivery.tried_at).total_seconds()))
    assert pauses[:4] == [12, 24, 48, 96]
    assert pauses[-1] == 6 * 3600 * 1.2
    assert states() == [QUEUED]

    later()

    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.status, delivery.attempts) == (DEAD, 400, webhook_outbox.MOST_ATTEMPTS)
    assert (delivery.excerpt[:4], len(delivery.excerpt)) == ("<p>ß", 500)


def test_dead_letters_are_told_again(receiver: Receiver) -> None:
    row = webhook(receiver.url)
    happen("phone", "tablet")
    webhook_outbox.spread()
    WebhookDelivery.objects.update(state=DEAD, attempts=14, done_at=timezone.now())

    assert webhooks.redeliver(row, row.deliveries.filter(subject="phone"), actor="anna") == 1
    webhook_outbox.drain()
    assert states() == [DELIVERED, DEAD]
    assert webhooks.redeliver(row, actor="anna") == 1
    webhook_outbox.drain()

    assert states() == [DELIVERED, DELIVERED]
    assert AuditEntry.objects.filter(action="webhook.redelivered", actor="anna").count() == 2


def test_both_secrets_sign_while_one_follows_the_other(receiver: Receiver) -> None:
    row = Webhook(name="SIEM", url=receiver.url, kinds=[KIND.name])
    first = webhooks.save(row, actor="test")
    second = webhooks.rotate(row, actor="test")
    assert first
    assert first != second

    def signatures() -> list[str]:
        receiver.requests = []
        happen("phone")
        webhook_outbox.drain()
        (request,) = receiver.requests
        timestamp = request.headers["EPMM-Timestamp"]
        known = {webhook_message.signature(s.encode(), timestamp, request.content): s for s in (first, second)}
        return [known[each.removeprefix("v1=")] for each in request.headers["EPMM-Signature"].split(",")]

    assert signatures() == [second, first]
    Webhook.objects.update(former_until=timezone.now())
    assert signatures() == [second]
    row.refresh_from_db()
    row = Webhook.objects.get(pk=row.pk)
    webhooks.rotate(row, actor="test")
    webhooks.drop_former(row, actor="test")
    assert Webhook.objects.get().former_secret is None
    audited = str(list(AuditEntry.objects.values_list("details", flat=True)))
    assert first not in audited
    assert second not in audited


def test_what_a_receiver_is_not_told(receiver: Receiver) -> None:
    webhook(receiver.url, hidden_fields=["user_id"])
    happen("phone", person={"user.user_id": "anna", "user.uuid": "7"}, address="10.0.0.1")

    webhook_outbox.drain()

    (told,) = receiver.told
    assert (told["person"], told["address"]) == ({"user.user_id": "*****", "user.uuid": "7"}, "10.0.0.1")


@pytest.mark.parametrize("status", [301, 307])
def test_nobody_is_led_elsewhere(receiver: Receiver, status: int) -> None:
    with receivers.listening() as other:
        row = webhook(receiver.url)
        receiver.status, receiver.location = status, other.url

        outcome = webhooks.test(row, actor="anna")

        assert (outcome.status, outcome.is_taken, other.requests) == (status, False, [])
    assert AuditEntry.objects.get(action="webhook.tested").status == AuditEntry.Status.FAILED


def test_networks_around_here_are_not_called(receiver: Receiver, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = []
    row = webhook(receiver.url)
    webhook(f"https://127.0.0.1:{receiver.port}/", name="by TLS")

    assert "EPMM_OUTBOUND_NETWORKS" in webhooks.test(row, actor="anna").excerpt
    happen("phone")
    webhook_outbox.drain()

    assert receiver.requests == []
    assert all("EPMM_OUTBOUND_NETWORKS" in row.excerpt for row in WebhookDelivery.objects.all())


def test_plain_http_goes_into_named_networks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    public = [(0, 0, 0, "", ("93.184.215.14", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_more: public)

    assert "http://" in webhooks.test(webhook("http://hooks.example/"), actor="anna").excerpt


def test_a_dead_receiver_rests_and_holds_up_nobody(receiver: Receiver) -> None:
    with receivers.listening(status=503) as dead:
        row = webhook(dead.url)
        webhook(receiver.url)
        receiver.seconds = 0.02
        happen(*(f"phone {number}" for number in range(12)))

        webhook_outbox.drain()

        assert len(receiver.requests) == 12
        assert receiver.most_at_once <= EACH
        assert len(dead.requests) <= EACH, "it rests after the first answers"
        assert not webhook_outbox.is_waiting()
        row.refresh_from_db()
        assert row.rests_until is not None
        dead.requests = []
        Webhook.objects.filter(pk=row.pk).update(rests_until=timezone.now())
        WebhookDelivery.objects.queued().update(next_at=timezone.now())
        webhook_outbox.drain()
        assert len(dead.requests) == 1, "one tries whether it is back"

        dead.status = 200
        later()
        later()
    assert set(states()) == {DELIVERED}
    row = Webhook.objects.get(pk=row.pk)
    assert (row.failures, row.failing_since, row.rests_until) == (0, None, None)


def test_one_that_fails_for_days_is_switched_off(receiver: Receiver) -> None:
    row = webhook(receiver.url)
    receiver.status = 500
    happen("phone", "tablet")
    since = timezone.now() - timedelta(days=5)
    Webhook.objects.update(failures=8, failing_since=since)

    webhook_outbox.drain()

    row.refresh_from_db()
    assert (row.is_enabled, list(webhooks.given_up())) == (False, [row])
    assert states() == [DEAD, DEAD]
    assert AuditEntry.objects.get(action="webhook.given_up").actor == "worker"
    happen("phone")
    assert Event.objects.count() == 2, "nobody wants it any more"
    with pytest.raises(WebhookRefused):
        webhooks.redeliver(row, actor="anna")
    row.is_enabled = True
    webhooks.save(row, actor="anna")
    assert not webhooks.given_up().exists()
    assert webhooks.redeliver(row, actor="anna") == 2


def test_the_log_ends(receiver: Receiver) -> None:
    webhook(receiver.url)
    happen("phone", "tablet")
    webhook_outbox.drain()
    old = timezone.now() - timedelta(days=15)
    Event.objects.update(at=old)
    WebhookDelivery.objects.filter(subject="phone").update(done_at=old)

    webhook_outbox.forget(timezone.now())

    assert list(Event.objects.values_list("subject", flat=True)) == ["tablet"]
    assert list(WebhookDelivery.objects.values_list("subject", flat=True)) == ["tablet"]


def test_there_are_not_any_number_of_them() -> None:
    for number in range(20):
        webhook(f"https://hooks.example/{number}")
    with pytest.raises(WebhookRefused):
        webhook("https://hooks.example/more")


def test_two_at_once_do_not_get_the_same_name() -> None:
    """The form has looked; then somebody else was faster."""
    webhook("https://hooks.example/one", name="SIEM")
    with pytest.raises(WebhookRefused, match="this name"):
        webhook("https://hooks.example/two", name="SIEM")


def command(*arguments: str) -> Any:
    out = StringIO()
    call_command("webhooks", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_an_operator_does_it_from_a_shell(receiver: Receiver) -> None:
    webhook(receiver.url, name="SIEM")
    happen("phone")
    webhook_outbox.spread()
    WebhookDelivery.objects.update(state=DEAD)

    assert [(row["name"], row["waiting"], row["dead"]) for row in command("list")] == [("SIEM", 0, 1)]
    assert command("test", "SIEM")["status"] == 204
    assert command("redeliver", "SIEM") == {"deliveries": 1}
    receiver.status = 500
    with pytest.raises(CommandError, match="500"):
        call_command("webhooks", "test", "SIEM")
    with pytest.raises(CommandError, match="SIEM"):
        call_command("webhooks", "test", "another")
