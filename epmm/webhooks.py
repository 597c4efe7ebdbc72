"""Webhooks as administrators set them up: addresses, secrets, what is told to whom, and what is told again."""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from epmm import audit, events, webhook_message
from epmm.models import AuditEntry, Event, Webhook, WebhookDelivery
from epmm.webhook_transport import RECEIVERS, Outcome, post

PREFIX: Final = "whsec_"
BOTH_FOR: Final = timedelta(days=1)
AUDITED: Final = ("name", "url", "is_enabled", "kinds", "hidden_fields")
TEST: Final = events.declare("webhook.test", gettext_lazy("Test"))
SWITCHED_OFF: Final = "the webhook was switched off"
WAITING, DEAD = WebhookDelivery.State.QUEUED, WebhookDelivery.State.DEAD


class WebhookRefused(ValueError):
    """The message says why."""


def choosable() -> list[events.Kind]:
    """In the order in which they are declared; a test is for whoever asks for it."""
    return [kind for kind in events.KINDS.values() if kind != TEST]


@transaction.atomic
def save(webhook: Webhook, *, actor: str) -> str | None:
    """Returns the secret of a new one: it is shown this once."""
    before = Webhook.objects.filter(pk=webhook.pk).first()
    secret = None
    if before is None:
        if Webhook.objects.count() >= RECEIVERS:
            raise WebhookRefused(_("There may be %(number)d webhooks, and no more.") % {"number": RECEIVERS})
        secret = _new_secret()
        webhook.secret = secret.encode()
    elif before.url != webhook.url or (webhook.is_enabled and not before.is_enabled):
        _forget_failures(webhook)
    try:
        with transaction.atomic():
            webhook.save()
    except IntegrityError as error:  # somebody else has just added one
        raise WebhookRefused(taken_sentence()) from error
    if before is not None and before.is_enabled and not webhook.is_enabled:
        _give_up_waiting(webhook)
    events.remember_wanted()
    changes = {name: _change(before, webhook, name) for name in AUDITED}
    _record("changed" if before else "added", webhook, actor, {name: each for name, each in changes.items() if each})
    return secret


def taken_sentence() -> str:
    return _("There is a webhook with this name.")


def _change(before: Webhook | None, after: Webhook, name: str) -> list[Any] | None:
    was, now = getattr(before, name, None), getattr(after, name)
    return None if was == now else [was, now]


def _forget_failures(webhook: Webhook) -> None:
    webhook.failures, webhook.failing_since, webhook.rests_until, webhook.given_up_at = 0, None, None, None


def _give_up_waiting(webhook: Webhook) -> None:
    """What waits for one that is off is a dead letter: it can be told again once it is on."""
    waiting = webhook.deliveries.queued()
    waiting.update(state=DEAD, done_at=timezone.now(), taken_until=None, excerpt=SWITCHED_OFF)


@transaction.atomic
def give_up(webhook: Webhook, now: datetime) -> None:
    """By the worker: nothing has been taken for days."""
    enabled = Webhook.objects.filter(pk=webhook.pk, is_enabled=True)
    if not enabled.update(is_enabled=False, given_up_at=now, rests_until=None):
        return
    _give_up_waiting(webhook)
    events.remember_wanted()
    since = webhook_message.moment(webhook.failing_since)
    _record("given_up", webhook, "worker", {"failing_since": since}, status=AuditEntry.Status.FAILED)


@transaction.atomic
def delete(webhook: Webhook, *, actor: str) -> None:
    _record("deleted", webhook, actor)
    webhook.delete()
    events.remember_wanted()


# --- Secrets ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def rotate(webhook: Webhook, *, actor: str) -> str:
    """A new secret, shown this once.  For a day both sign, so that the receiver has time to learn it."""
    secret = _new_secret()
    webhook.former_secret, webhook.former_until = webhook.secret, timezone.now() + BOTH_FOR
    webhook.secret = secret.encode()
    webhook.save(update_fields=["secret", "former_secret", "former_until"])
    _record("secret_changed", webhook, actor)
    return secret


@transaction.atomic
def drop_former(webhook: Webhook, *, actor: str) -> None:
    """At once: it may have come into wrong hands."""
    webhook.former_secret = webhook.former_until = None
    webhook.save(update_fields=["former_secret", "former_until"])
    _record("former_secret_dropped", webhook, actor)


def in_force(webhook: Webhook, now: datetime) -> list[bytes]:
    both = [webhook.secret]
    if webhook.former_secret is not None and webhook.former_until is not None and webhook.former_until > now:
        both.append(webhook.former_secret)
    return [bytes(secret) for secret in both]


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


# --- Telling it again -------------------------------------------------------------------------------------------------


@transaction.atomic
def redeliver(webhook: Webhook, deliveries: QuerySet[WebhookDelivery] | None = None, *, actor: str) -> int:
    """All dead letters, or those; what waits already stays as it is.  Returns how many are told again."""
    if not webhook.is_enabled:
        raise WebhookRefused(_("The webhook is off. Switch it on first."))
    chosen = webhook.deliveries.dead() if deliveries is None else deliveries.filter(webhook=webhook)
    again = chosen.exclude(state=WAITING).update(
        state=WAITING, attempts=0, next_at=timezone.now(), taken_until=None, done_at=None
    )
    if again:
        _record("redelivered", webhook, actor, {"deliveries": again})
    return again


def test(webhook: Webhook, *, actor: str) -> Outcome:
    """An event of its own, told at once; it stands in no log but the audit's."""
    event = Event(kind=TEST.name, subject="", data={"message": "This is a test.", "webhook": webhook.name})
    outcome = tell(webhook, event)
    status = AuditEntry.Status.SUCCESS if outcome.is_taken else AuditEntry.Status.FAILED
    _record("tested", webhook, actor, {"status": outcome.status}, status=status)
    return outcome


def tell(webhook: Webhook, event: Event) -> Outcome:
    content = webhook_message.body(event, webhook.hidden_fields)
    now = timezone.now()
    return post(webhook.url, content, webhook_message.headers(event, content, in_force(webhook, now), now))


def _record(
    what: str,
    webhook: Webhook,
    actor: str,
    details: dict[str, Any] | None = None,
    *,
    status: AuditEntry.Status = AuditEntry.Status.SUCCESS,
) -> None:
    audit.record(
        f"webhook.{what}",
        actor=actor,
        subject_type="webhook",
        subject=webhook.name,
        status=status,
        details=details,
    )


def given_up() -> QuerySet[Webhook]:
    """For the dashboard: nobody may have noticed."""
    return Webhook.objects.filter(is_enabled=False, given_up_at__isnull=False).order_by("name")
