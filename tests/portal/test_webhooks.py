"""Services > Webhooks: set up, tested, watched, told again, deleted."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from epmm import events, webhook_outbox
from epmm.events import Fact
from epmm.models import AuditEntry, Webhook, WebhookDelivery
from tests import receivers
from tests.portal.conftest import SignedIn
from tests.receivers import Receiver
from users.models import AdminRole

pytestmark = pytest.mark.django_db
HERE = "/admin/services/webhooks"
SECRET = re.compile(r"whsec_[\w-]{40,}")
DEAD = WebhookDelivery.State.DEAD


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    with receivers.listening() as receiver:
        yield receiver


def filled(receiver: Receiver | None = None, **changes: Any) -> dict[str, Any]:
    url = receiver.url if receiver else "https://hooks.example/"
    return {"name": "SIEM", "url": url, "kinds": ["device.enrolled"], "is_enabled": "on", **changes}


def added(client: Client, receiver: Receiver | None = None, **changes: Any) -> Webhook:
    answer = client.post(f"{HERE}/add", filled(receiver, **changes))
    assert answer.status_code == 200, answer.content.decode()
    return Webhook.objects.get()


def happen(*names: str) -> None:
    facts = [Fact(subject=name, data={"device": {"ios.DeviceName": f"Anna's {name}"}}) for name in names]
    events.emit(events.KINDS["device.enrolled"], lambda: facts)


def test_its_secret_is_shown_once(signed_in: SignedIn) -> None:
    client = signed_in()

    answer = client.post(f"{HERE}/add", filled(personal=["email"]))

    row = Webhook.objects.get()
    (first,) = SECRET.findall(answer.content.decode())
    assert bytes(row.secret).decode() == first
    assert (row.kinds, row.hidden_fields) == (["device.enrolled"], ["email"])
    page = f"{HERE}/{row.pk}"
    assert not SECRET.findall(client.get(page).content.decode())
    assert not SECRET.findall(client.post(f"{page}/secret").content.decode()), "asked first"

    (second,) = SECRET.findall(client.post(f"{page}/secret", {"go": "1"}).content.decode())

    assert first != second
    assert "former secret signs until" in client.get(page).content.decode()
    assert client.post(f"{page}/secret", {"drop": "1"}).status_code == 204
    assert Webhook.objects.get().former_secret is None
    assert not SECRET.findall(str(list(AuditEntry.objects.values_list("details", flat=True))))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": "ftp://hooks.example/"}, "https://"),
        ({"url": "https://anna:secret@hooks.example/"}, "https://"),
        ({"url": "https://[::1/"}, "https://"),
        ({"url": "https://hooks.example:99999/"}, "https://"),
        ({"kinds": []}, "at least one event"),
        ({"kinds": ["webhook.test"]}, "not one of the available choices"),
        ({"name": " SIEM"}, "There is a webhook with this name."),
    ],
)
def test_what_is_not_taken(signed_in: SignedIn, changes: dict[str, Any], sentence: str) -> None:
    client = signed_in()
    added(client)

    answer = client.post(f"{HERE}/add", filled(**{"name": "Another", **changes}))

    assert (answer.status_code, Webhook.objects.count()) == (422, 1)
    assert sentence in answer.content.decode()


def test_a_test_says_what_the_receiver_said(signed_in: SignedIn, receiver: Receiver) -> None:
    client = signed_in()
    row = added(client, receiver)

    assert "The receiver took it." in client.post(f"{HERE}/{row.pk}/test").content.decode()
    receiver.status, receiver.words = 403, b"<b>who are you?"

    answer = client.post(f"{HERE}/{row.pk}/test").content.decode()

    assert "403" in answer
    assert "&lt;b&gt;who are you?" in answer
    assert [told["type"] for told in receiver.told] == ["webhook.test"] * 2


def test_deliveries_are_looked_at_and_dead_letters_told_again(signed_in: SignedIn, receiver: Receiver) -> None:
    client = signed_in()
    row = added(client, receiver)
    happen("phone", "tablet", "mac")
    webhook_outbox.drain()
    WebhookDelivery.objects.exclude(subject="phone").update(state=DEAD, done_at=timezone.now(), status=500)
    receiver.requests = []

    dead = client.get(f"{HERE}/deliveries?webhook={row.pk}&state=dead").content.decode()
    assert "tablet" in dead
    assert "phone" not in dead
    tablet = WebhookDelivery.objects.get(subject="tablet")
    page = client.get(f"{HERE}/deliveries/{tablet.pk}").content.decode()
    assert "Anna&#x27;s tablet" in page
    assert "Dead letters" in client.get(HERE).content.decode()

    redeliver = f"{HERE}/redeliver"
    assert 'value="1"' in client.post(redeliver, {"row": str(tablet.pk)}).content.decode()
    assert WebhookDelivery.objects.dead().count() == 2, "asked first"
    assert client.post(redeliver, {"row": str(tablet.pk), "go": "1"}).status_code == 204
    assert (
        client.post(redeliver, {"all": "1", "matching": f"webhook={row.pk}&state=dead", "go": "1"}).status_code == 204
    )
    webhook_outbox.drain()
    assert sorted(told["device"]["ios.DeviceName"] for told in receiver.told) == ["Anna's mac", "Anna's tablet"]

    WebhookDelivery.objects.update(state=DEAD)
    assert client.post(redeliver, {"number": str(row.pk), "go": "1"}).status_code == 204
    assert WebhookDelivery.objects.queued().count() == 3
    assert client.post(redeliver, {"number": str(row.pk), "go": "1"}).status_code == 422, "all are on their way"


def test_who_may_not_see_devices_sees_no_content(signed_in: SignedIn, receiver: Receiver) -> None:
    added(signed_in(), receiver)
    happen("phone")
    webhook_outbox.drain()
    client = signed_in("reader", roles=[AdminRole.SETTINGS_VIEW])

    page = client.get(f"{HERE}/deliveries/{WebhookDelivery.objects.get().pk}").content.decode()

    assert "phone" in page
    assert "Anna" not in page


def test_one_that_is_given_up_is_spoken_of_until_it_is_on_again(signed_in: SignedIn) -> None:
    client = signed_in()
    row = added(client)
    Webhook.objects.update(is_enabled=False, given_up_at=timezone.now())

    assert "SIEM" in client.get("/admin/dashboard/alert").content.decode()
    assert "Given up" in client.get(HERE).content.decode()
    assert client.post(f"{HERE}/{row.pk}", filled()).status_code == 302
    assert "SIEM" not in client.get("/admin/dashboard/alert").content.decode()

    assert client.post(f"{HERE}/{row.pk}/delete", {"go": "1"}).status_code == 204
    actions = set(AuditEntry.objects.filter(subject="SIEM").values_list("action", flat=True))
    assert actions == {"webhook.added", "webhook.changed", "webhook.deleted"}
