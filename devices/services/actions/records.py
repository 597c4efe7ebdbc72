"""Actions on the record alone: no device hears of them."""

from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.services.actions.base import Action, Order, Subject, Unmet, gone, locked
from users.models import AdminRole

GONE: Final = (Device.Status.RETIRED, Device.Status.WIPED)
MOST_AUDITED: Final = 200  # characters of a comment


class ChangeOwnership(Action):
    key = "ownership"
    label = gettext_lazy("Change Ownership")
    explanation = gettext_lazy("Whether the company or the employee owns the device.")
    button = gettext_lazy("Change")
    icon = "arrow-left-right"
    role = AdminRole.DEVICE_MANAGE

    def why_not(self, subject: Subject) -> str | None:
        return gone(subject)

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        device, owner = locked(device), Device.Owner(order.values["owner"])
        if device.owner == owner:
            raise Unmet(_("It is already: {owner}.").format(owner=owner.label))
        before, device.owner = device.owner, owner
        device.save(update_fields=["owner", "modified_at"])
        order.audit("device.owner_changed", device, **{"from": before, "to": owner.value})
        return _("Changed")


class MarkLost(Action):
    key = "lost"
    label = gettext_lazy("Lost")
    explanation = gettext_lazy(
        "The record says that the device is lost. Nothing happens on the device itself: lock it as well."
    )
    button = gettext_lazy("Mark as lost")
    icon = "map-pin-off"
    role = AdminRole.DEVICE_MANAGE

    def why_not(self, subject: Subject) -> str | None:
        if subject.device.status == Device.Status.LOST:
            return _("This device is marked as lost already.")
        return None if subject.device.status == Device.Status.ACTIVE else _("Only an active device can be lost.")

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        _move(device, Device.Status.ACTIVE, Device.Status.LOST)
        order.audit("device.lost", device)
        return _("Marked")


class MarkFound(Action):
    key = "found"
    label = gettext_lazy("Found")
    explanation = gettext_lazy("The record says again that the device is active.")
    button = gettext_lazy("Mark as found")
    icon = "map-pin"
    role = AdminRole.DEVICE_MANAGE

    def why_not(self, subject: Subject) -> str | None:
        return None if subject.device.status == Device.Status.LOST else _("This device is not marked as lost.")

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        _move(device, Device.Status.LOST, Device.Status.ACTIVE)
        order.audit("device.found", device)
        return _("Marked")


class Comment(Action):
    key = "comment"
    label = gettext_lazy("Comment")
    explanation = gettext_lazy("For administrators alone. An empty text removes the comment.")
    button = gettext_lazy("Save")
    icon = "message-square-text"
    role = AdminRole.DEVICE_MANAGE

    def why_not(self, subject: Subject) -> str | None:
        del subject
        return None

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        device, comment = locked(device), order.values["comment"].strip()
        if device.comment == comment:
            raise Unmet(_("It says so already."))
        device.comment = comment
        device.save(update_fields=["comment", "modified_at"])
        order.audit("device.commented", device, comment=comment[:MOST_AUDITED])
        return _("Saved")


class DeleteRetired(Action):
    key = "delete-retired"
    label = gettext_lazy("Delete retired device")
    explanation = gettext_lazy("The record goes, with its inventory. Its audit entries stay.")
    button = gettext_lazy("Delete")
    icon = "trash-2"
    role = AdminRole.DEVICE_DELETE_RETIRED
    is_dangerous = True

    def why_not(self, subject: Subject) -> str | None:
        if subject.device.status not in GONE:
            return _("Only a device that is retired or wiped can be deleted.")
        return _("This device is under management.") if subject.channel is not None else None

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        """Its enrollments stay: by them a device that comes back late is told to leave."""
        standing = Device.objects.select_for_update().filter(pk=device.pk, status__in=GONE).first()
        if standing is None:
            raise Unmet(_("Only a device that is retired or wiped can be deleted."))
        order.audit("device.deleted", device, serial_number=device.serial_number, name=device.device_name)
        standing.delete()
        return _("Deleted")


def _move(device: Device, before: Device.Status, after: Device.Status) -> None:
    """Unless something else has happened to it meanwhile."""
    now = timezone.now()
    lost_at = now if after == Device.Status.LOST else None
    if not Device.objects.filter(pk=device.pk, status=before).update(status=after, lost_at=lost_at, modified_at=now):
        raise Unmet(_("Its status has changed meanwhile."))
