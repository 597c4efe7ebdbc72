"""Tells webhooks of the certificates that this installation lives on, as their end comes nearer.

That of the push service has warnings of its own: `devices/services/push_expiry.py`.
"""

from datetime import datetime

from django.db import transaction

from devices import events
from enrollment.services import figures
from epmm import expiry
from epmm.events import is_wanted
from epmm.models import ExpiryNotice


def warn(now: datetime) -> None:
    """Each threshold once; after a long silence, only the one that counts now."""
    if not is_wanted(events.EXPIRING):
        return
    for name, not_after in figures.ends():
        if name != "push" and not_after is not None:
            _warn_of(name, not_after, now)


@transaction.atomic
def _warn_of(name: str, not_after: datetime, now: datetime) -> None:
    reached = expiry.reached(not_after - now)
    if reached is None:
        return
    notice = ExpiryNotice.objects.select_for_update().filter(name=name).first()
    if notice is not None and notice.not_after == not_after and notice.days <= reached:
        return
    ExpiryNotice.objects.update_or_create(name=name, defaults={"not_after": not_after, "days": reached})
    events.certificate_expiring(name, not_after, now)
