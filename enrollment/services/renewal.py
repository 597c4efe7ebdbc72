"""A new certificate for a device that has one: its enrollment profile, sent again with a new challenge.

Whose certificate ends soon is sent one by itself; it is sent again when nothing came of it.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from devices.models import Channel, Command, Device, Enrollment, Identity
from devices.protocol.commands import InstallProfile, Request, why_not
from devices.services import pace, queue, send
from devices.services.queue import CommandRefused
from devices.services.target import target_of
from enrollment.models import ScepChallenge
from enrollment.services import authorities, issuance, profiles
from epmm import options, settings_store
from epmm.given import update_each

logger = logging.getLogger(__name__)
EVERY: Final = timedelta(hours=1)
AT_ONCE: Final = 20  # each costs a signature
AGAIN: Final = timedelta(days=7)
VALID_FOR: Final = timedelta(days=30)  # it waits in the queue until the device comes


@transaction.atomic
def renew(device: Device, *, actor: str) -> Command:
    """Queue it; raises CommandRefused.  The old certificate stays good until the device has come back with the new."""
    enrollment = device.enrollments.active().order_by("pk").last()
    if enrollment is None:
        raise CommandRefused(_("This device is not under management."))
    now = timezone.now()
    challenge = issuance.make_challenge(enrollment, expires_at=now + VALID_FOR)
    challenge.save()
    payload = {"Payload": profiles.renew(enrollment, challenge)}
    command = send.send(send.prepare(device, "InstallProfile", payload=payload, is_ours=True), actor=actor)
    current = enrollment.identities.filter(state=Identity.State.CURRENT)
    current.update(renewal_asked_at=now, renewal_command_id=command.pk)
    return command


def renew_where_due() -> None:
    ahead = timedelta(days=settings_store.read(options.RENEWAL_DAYS))
    if not ahead:
        return
    left = pace.turn(ahead, EVERY)
    while left > 0 and (looked_at := _renew_some(timezone.now(), ahead, min(left, AT_ONCE))):
        left -= looked_at


@transaction.atomic
def _renew_some(now: datetime, ahead: timedelta, limit: int) -> int:
    """How many were looked at; a certificate whose renewal is refused comes again after a while, too."""
    due = _due(now, ahead)
    first = list(due.values_list("enrollment", flat=True)[:limit])
    # locked, as a check-in does: who ends one meanwhile waits, and then takes its command out again
    active = Enrollment.objects.active().select_for_update(skip_locked=True, no_key=True).filter(pk__in=first)
    identities = list(due.filter(enrollment__in=list(active.values_list("pk", flat=True))).defer("der"))
    channels = Channel.objects.filter(enrollment__in=[identity.enrollment_id for identity in identities], user_key="")
    by_enrollment = {channel.enrollment_id: channel for channel in channels.select_related("enrollment__device")}
    orders: list[tuple[Channel, Request]] = []
    challenges: list[ScepChallenge] = []
    sent: list[Identity] = []
    for identity in identities:
        channel = by_enrollment[identity.enrollment_id]
        about = {"device": channel.enrollment.device_id, "certificate": identity.serial_number}
        if identity.renewal_asked_at is not None:
            logger.warning("nothing came of the renewal of a certificate: it is tried again", extra=about)
        expires_at = max(identity.not_after, now + VALID_FOR)
        challenge = issuance.make_challenge(channel.enrollment, expires_at=expires_at)
        request = InstallProfile(profile=profiles.renew(channel.enrollment, challenge))
        identity.renewal_asked_at, identity.renewal_command_id = now, None
        if sentence := why_not(request, target_of(channel)):
            logger.warning("a certificate cannot be renewed", extra=about | {"why": str(sentence)})
            continue
        orders.append((channel, request))
        challenges.append(challenge)
        sent.append(identity)
    ScepChallenge.objects.bulk_create(challenges)
    for identity, command in zip(sent, queue.queue_all(orders), strict=True):
        identity.renewal_command_id = command.pk
    if identities:
        update_each(identities, ["renewal_asked_at", "renewal_command_id"])
    return len(identities)


def _due(now: datetime, ahead: timedelta) -> QuerySet[Identity]:
    """Of managed devices, the first that ends before all others.  What ends with our authority cannot be prolonged."""
    active = Enrollment.objects.active().filter(pk=OuterRef("enrollment"), device__isnull=False)
    waits = Command.objects.open().filter(pk=OuterRef("renewal_command_id"))
    until = min(now + ahead, authorities.device_ca().certificate.not_valid_after_utc)
    # not joined: SQLite would begin with the enrollments, which all are active
    due = Identity.objects.filter(Exists(active), ~Exists(waits), state=Identity.State.CURRENT, not_after__lt=until)
    if settings_store.read(options.DENY_EXPIRED):
        due = due.filter(not_after__gt=now)  # the others cannot come for it
    return due.exclude(renewal_asked_at__range=(now - AGAIN, now)).order_by("not_after", "pk")
