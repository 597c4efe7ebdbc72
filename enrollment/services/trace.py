"""The enrollment trace: one attempt from the first request to an active device, with every step on the way.

Anonymous requests write here, so what they can write is bounded: by network and hour, in all, and by attempt.
When a bound is reached an enrollment goes on without a trace.
"""

import secrets
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from devices.models import Device, Enrollment
from enrollment import events, reasons
from enrollment.models import Attempt, AttemptStep, Step
from enrollment.models.attempt import OPEN_FOR
from enrollment.reasons import Reason
from epmm.client_address import network

PER_NETWORK_AND_HOUR: Final = 120
ANONYMOUS_AT_MOST: Final = 20_000
STEPS_AT_MOST: Final = 200
REPEAT_WITHIN: Final = timedelta(minutes=5)
KEPT_ANONYMOUS: Final = timedelta(days=14)
KEPT: Final = timedelta(days=365)

OK, NOTED, REFUSED = AttemptStep.Result.OK, AttemptStep.Result.NOTED, AttemptStep.Result.REFUSED
ENDED: Final = (Attempt.State.ACTIVE, Attempt.State.FAILED, Attempt.State.ABANDONED)


def address_or_none(text: str | None) -> str | None:
    """As the column takes it: without the name of a network interface."""
    try:
        return str(ip_address((text or "").partition("%")[0]))
    except ValueError:
        return None


def open_attempt(*, address: str | None, identifier: str = "", domain: str = "", family: str = "") -> Attempt | None:
    """Begin a trace, or go on with the one that the same device began a moment ago; None beyond the bounds."""
    now, address = timezone.now(), address_or_none(address)
    caller = network(address)
    here = _anonymous_of(caller, now).order_by("-pk")
    recent = list(here.only("identifier", "model_family", "opened_at", "state", "reference")[:PER_NETWORK_AND_HOUR])
    for attempt in recent:
        same = (attempt.identifier, attempt.model_family) == (identifier, family)
        if same and identifier and attempt.state == Attempt.State.OPEN and attempt.opened_at > now - REPEAT_WITHIN:
            found = Attempt.objects.get(pk=attempt.pk)
            if not found.steps.exclude(step=Step.DISCOVERY).exists():  # another phone of this person may be further
                return found
    if not _has_room(len(recent)):
        return None
    return Attempt.objects.create(
        reference=secrets.token_urlsafe(16),
        address=address,
        network=caller,
        identifier=identifier,
        domain=domain,
        model_family=family,
    )


def _anonymous_of(caller: str, now: datetime) -> QuerySet[Attempt]:
    return Attempt.objects.filter(user=None, network=caller, opened_at__gt=now - timedelta(hours=1))


def _has_room(here: int) -> bool:
    if here >= PER_NETWORK_AND_HOUR:
        return False
    return not Attempt.objects.filter(user=None).order_by("pk")[ANONYMOUS_AT_MOST - 1 : ANONYMOUS_AT_MOST].exists()


def in_browser(what: str, address: str | None) -> str:
    """The reference for somebody who tries with a browser, without a device: one for what they try, from where they
    are, within some minutes.  Keyed, as people type passwords into the wrong field."""
    moment = timezone.now().timestamp() // REPEAT_WITHIN.total_seconds()
    tried = f"{moment} {network(address)} {what}".encode(errors="backslashreplace")
    return salted_hmac("enrollment.trace", tried, algorithm="sha256").hexdigest()[:32]


def open_in_browser(reference: str, *, identifier: str, family: str, address: str | None) -> Attempt | None:
    """None beyond the bounds.  By the reference alone: that a row is there already tells nobody who exists."""
    if found := find(reference):
        return found
    address = address_or_none(address)
    caller = network(address)
    if not _has_room(_anonymous_of(caller, timezone.now())[:PER_NETWORK_AND_HOUR].count()):
        return None
    given = {"identifier": identifier, "model_family": family, "address": address, "network": caller}
    return Attempt.objects.get_or_create(reference=reference, defaults=given)[0]


def open_known(reference: str, *, identifier: str, address: str | None) -> Attempt:
    """For somebody who has proved who they are, however many strangers asked from the same network."""
    address = address_or_none(address)
    given = {"identifier": identifier, "address": address, "network": network(address)}
    return Attempt.objects.get_or_create(reference=reference, defaults=given)[0]


def find(reference: str) -> Attempt | None:
    return Attempt.objects.filter(reference=reference).first() if reference else None


def of(enrollment: Enrollment) -> Attempt | None:
    """The newest attempt that led to this enrollment."""
    return enrollment.attempts.order_by("-pk").first()


def owner_of(attempt: Attempt | None) -> str:
    """Of the device, as its person said; empty: they were not asked."""
    return attempt.owner if attempt is not None else ""


def step(
    attempt: Attempt | None,
    name: Step,
    *,
    result: AttemptStep.Result = OK,
    reason: Reason | None = None,
    **details: Any,
) -> None:
    """Add a step.  A refusal marks the attempt, unless its device is active already; a later success clears the mark.

    Whatever succeeds also shows that nobody is at Apple's sign-in any more.
    """
    if attempt is None or attempt.steps.count() >= STEPS_AT_MOST:
        return
    code = reason.code if reason else ""
    added = AttemptStep.objects.create(attempt=attempt, step=name, result=result, code=code, details=details)
    if attempt.state == Attempt.State.ACTIVE or result == NOTED:
        return
    before = attempt.last_code, attempt.state
    if result == REFUSED and attempt.last_code and reason is reasons.MESSAGE_REFUSED:
        return  # what follows a refusal does not fit any more, and says nothing of its own
    if result == REFUSED:
        attempt.last_code, attempt.state, attempt.closed_at = code, Attempt.State.FAILED, added.at
        _note_failure(attempt)
    else:
        attempt.last_code = ""
        if attempt.state in {Attempt.State.FAILED, Attempt.State.WAITING_FOR_APPLE}:
            attempt.state, attempt.closed_at = Attempt.State.OPEN, None
    if (attempt.last_code, attempt.state) != before:
        events.save_and_tell(attempt, added)
    elif result == REFUSED:
        attempt.save(update_fields=["last_code", "state", "closed_at"])


def _note_failure(attempt: Attempt) -> None:
    """With its device, where one is known: administrators look for these."""
    now = timezone.now()
    devices = Device.objects.filter(enrollments=attempt.enrollment_id or 0)
    devices.update(enrollment_failed_at=now, modified_at=now)


def move(attempt: Attempt | None, state: Attempt.State, **changes: Any) -> None:
    """Set the state, and with it what became known: `user`, `enrollment`, `product`, `os_version`, `kind`."""
    if attempt is None:
        return
    attempt.state = state
    changes["closed_at"] = timezone.now() if state in ENDED else None
    for name, value in changes.items():
        setattr(attempt, name, value)
    attempt.save(update_fields=["state", *changes])


def silent(now: datetime) -> QuerySet[Attempt]:
    """Those that are not closed, and of which nothing has been heard for an hour."""
    before = now - OPEN_FOR
    heard = AttemptStep.objects.filter(attempt=OuterRef("pk"), at__gte=before)
    return Attempt.objects.filter(~Exists(heard), closed_at=None, opened_at__lt=before)


def tidy() -> None:
    """Close what went silent, forget what is old; the anonymous first."""
    now = timezone.now()
    silent(now).filter(state=Attempt.State.FAILED).update(closed_at=now)
    silent(now).exclude(state=Attempt.State.FAILED).update(closed_at=now, state=Attempt.State.ABANDONED)
    old = Q(opened_at__lt=now - KEPT) | Q(user=None, opened_at__lt=now - KEPT_ANONYMOUS)
    Attempt.objects.filter(old).delete()
    surplus = Attempt.objects.filter(user=None).order_by("-pk").values_list("pk", flat=True)[ANONYMOUS_AT_MOST // 2 :]
    if newest_surplus := surplus.first():
        Attempt.objects.filter(user=None, pk__lte=newest_surplus).delete()
