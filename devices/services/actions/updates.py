"""Updating the system, by declarative management: on an iPhone that nobody supervises there is no other way."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.protocol import declarations as known
from devices.protocol.declarations import Holder, SoftwareUpdateEnforcement
from devices.services import declarations
from devices.services.actions.base import Action, Order, Subject, Unmet, unmanaged
from devices.services.declarations import DeclarationRefused
from users.models import AdminRole


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
