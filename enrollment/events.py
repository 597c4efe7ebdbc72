"""What webhooks may be told of enrollments that did not come about."""

from contextlib import nullcontext
from typing import Any, Final

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from devices.events import subject_of, told
from devices.services.hidden_fields import PERSONAL
from enrollment.models import Attempt, AttemptStep
from enrollment.reasons import BY_CODE
from epmm import events
from epmm.events import Fact
from epmm.webhook_message import moment

FAILED: Final = events.declare(
    "enrollment.failed",
    _("Enrollment attempt failed"),
    personal={**PERSONAL, "identifier": "email", "address": "ip", "user": "user_id"},
)


def save_and_tell(attempt: Attempt, step: AttemptStep) -> None:
    """What became of it, and that it failed where it did: both or neither."""
    is_told = attempt.state == Attempt.State.FAILED and events.is_wanted(FAILED)
    with transaction.atomic() if is_told else nullcontext():
        attempt.save(update_fields=["last_code", "state", "closed_at"])
        if is_told:
            events.emit(FAILED, lambda: [_fact(attempt, step)])


def _fact(attempt: Attempt, step: AttemptStep) -> Fact:
    device = attempt.enrollment.device if attempt.enrollment is not None else None
    return Fact(
        subject=subject_of(device) if device is not None else f"attempt:{attempt.pk}",
        data={"device": told(device) if device is not None else None, "attempt": _attempt(attempt, step)},
        space_id=device.space_id if device is not None else attempt.space_id,
        at=step.at,
    )


def _attempt(attempt: Attempt, step: AttemptStep) -> dict[str, Any]:
    """Without its reference, which stands in addresses that devices call."""
    reason = BY_CODE.get(step.code)
    with translation.override("en"):
        advice = str(reason.operator) if reason is not None else ""
    return {
        "id": attempt.pk,
        "opened_at": moment(attempt.opened_at),
        "identifier": attempt.identifier,
        "user": attempt.user.user_id if attempt.user is not None else None,
        "domain": attempt.domain,
        "model_family": attempt.model_family,
        "product": attempt.product,
        "os_version": attempt.os_version,
        "kind": attempt.kind,
        "address": attempt.address,
        "step": step.step,
        "code": step.code,
        "advice": advice,
    }
