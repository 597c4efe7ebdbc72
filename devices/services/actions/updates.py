"""Updating the system, by declarative management: on an iPhone that nobody supervises there is no other way."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.protocol import declarations as known
from devices.protocol.declarations import Holder, SoftwareUpdateEnforcement, base
from devices.services import declarations
from devices.services.actions.base import Action, Order, Subject, Unmet, unmanaged
from devices.services.declarations import DeclarationRefused
from users.models import AdminRole


def version(typed: str) -> str:
    """Raises Unmet, as the others here."""
    return _read(base.version, _("This is no version such as 18.2."), typed)


def latest_by(typed: str) -> str:
    """By the clock of the device; browsers leave the seconds out."""
    whole = f"{typed}:00" if len(typed) == len("2026-12-01T20:00") else typed
    by = _read(base.local_time, _("This is no date with a time such as 2026-12-01T20:00, without a zone."), whole)
    # a mistyped year would restart a whole fleet at once; where the day is latest, UTC is twelve hours ahead
    if datetime.fromisoformat(by) < timezone.now().replace(tzinfo=None) - timedelta(hours=12):
        raise Unmet(_("This time has passed. Type the present one to have it installed at once."))
    return by


def details_url(typed: str) -> str:
    return _read(base.https, _("It begins with https://."), typed) if typed else ""


def _read(read: base.Read, sentence: str, typed: str) -> str:
    try:
        return str(read("", typed))
    except base.InvalidDeclaration as invalid:
        raise Unmet(sentence) from invalid


class UpdateOs(Action):
    key = "update-os"
    label = gettext_lazy("Update OS")
    explanation = gettext_lazy(
        "The device installs this version by then: it reminds its user, and at the time that you say it restarts."
    )
    button = gettext_lazy("Enforce update")
    icon = "download"
    role = AdminRole.DEVICE_MANAGE
    is_sent = True

    def why_not(self, subject: Subject) -> str | None:
        """What the device itself says that it can do is asked when it is done."""
        if (sentence := unmanaged(subject)) or subject.target is None:
            return sentence
        holder = Holder(
            platform=subject.target.platform, kind=subject.target.kind, os_version=subject.device.os_version
        )
        return known.why_not(SoftwareUpdateEnforcement.type, None, holder)

    def run(self, device: Device, order: Order) -> str:
        try:
            declarations.enforce_update(
                device,
                version=order.values["version"],
                by=order.values["by"],
                details_url=order.values.get("details_url") or None,
                actor=order.actor,
            )
        except DeclarationRefused as refused:
            raise Unmet(str(refused)) from refused
        return _("Queued")
