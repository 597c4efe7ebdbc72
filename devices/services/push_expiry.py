"""What there is to say about the push certificate today, and the warnings before it expires."""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from devices import events
from devices.models import PushCertificate
from epmm import audit, expiry
from epmm.expiry import EXPIRED

logger = logging.getLogger(__name__)


class State(StrEnum):
    NONE = "none"
    VALID = "valid"
    EXPIRES = "expires"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    state: State
    sentence: str


def condition(now: datetime) -> Condition:
    row = PushCertificate.objects.defer("private_key").first()
    if row is None:
        return Condition(
            state=State.NONE,
            sentence=_(
                "Push is not set up: enrollments use a lab topic, and devices get commands when they connect by "
                "themselves. Begin with: %(command)s"
            )
            % {"command": "manage.py push_certificate request"},
        )
    date = f"{row.not_after:%Y-%m-%d}"
    threshold = reached(row, now)
    if threshold is None:
        sentence = _("The push certificate is valid until %(date)s.") % {"date": date}
        return Condition(state=State.VALID, sentence=sentence)
    if threshold == EXPIRED:
        sentence = _("The push certificate expired on %(date)s: no device can be woken.") % {"date": date}
        return Condition(state=State.EXPIRED, sentence=f"{sentence} {_how_to_renew(row)}")
    sentence = _("The push certificate expires on %(date)s (days left: %(days)d).") % {
        "date": date,
        "days": row.days_left(now),
    }
    return Condition(state=State.EXPIRES, sentence=f"{sentence} {_how_to_renew(row)}")


def state(row: PushCertificate | None, now: datetime) -> State:
    """None: no certificate is installed."""
    if row is None:
        return State.NONE
    threshold = reached(row, now)
    if threshold is None:
        return State.VALID
    return State.EXPIRED if threshold == EXPIRED else State.EXPIRES


def reached(row: PushCertificate, now: datetime) -> int | None:
    return expiry.reached(row.not_after - now)


def warn() -> None:
    """Log and audit each threshold once; after a long silence, only the one that counts now."""
    now = timezone.now()
    row = PushCertificate.objects.defer("private_key").first()
    threshold = reached(row, now) if row is not None else None
    if row is None or threshold is None:
        return
    with transaction.atomic():
        # of the certificate that was looked at: a renewed one has warnings of its own
        due = PushCertificate.objects.filter(Q(warned_days=None) | Q(warned_days__gt=threshold), sha256=row.sha256)
        if not due.update(warned_days=threshold):
            return
        audit.record(
            "push_certificate.expired" if threshold == EXPIRED else "push_certificate.expires",
            actor="worker",
            subject_type="push_certificate",
            subject=row.topic,
            details={"not_after": row.not_after.isoformat(), "days": threshold},
        )
        events.certificate_expiring("push", row.not_after, now)
    facts = {"not_after": row.not_after.isoformat(), "days_left": row.days_left(now)}
    if threshold == EXPIRED:
        logger.error("the push certificate has expired: no device can be woken", extra=facts)
    else:
        logger.warning("the push certificate expires soon: renew it", extra=facts)


def _how_to_renew(row: PushCertificate) -> str:
    account = f" ({row.apple_account})" if row.apple_account else ""
    return _(
        "Renew it at Apple's portal under the same Apple Account%(account)s, in its existing entry, so that its topic "
        "stays. Begin with: %(command)s"
    ) % {"account": account, "command": "manage.py push_certificate request"}
