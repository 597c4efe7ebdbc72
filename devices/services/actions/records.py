"""Actions on the record alone: no device hears of them."""

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Label
from devices.services import labels
from devices.services.actions.base import Action, Subject, Unmet, Values
from devices.services.labels import LabelRefused
from epmm import audit
from users.models import AdminRole

GONE = (Device.Status.RETIRED, Device.Status.WIPED)


class ChangeOwnership(Action):
    key = "ownership"
    label = gettext_lazy("Change Ownership")
    explanation = gettext_lazy("Whether the company or the employee owns the device.")
    button = gettext_lazy("Change")
    icon = "arrow-left-right"
    role = AdminRole.DEVICE_MANAGE

    def why_not(self, subject: Subject) -> str | None:
        return _("This device is retired.") if subject.device.status == Device.Status.RETIRED else None

    @transaction.atomic
    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        owner = Device.Owner(values["owner"])
        if device.owner == owner:
            raise Unmet(_("It is already: {owner}.").format(owner=owner.label))
        before, device.owner = device.owner, owner
        device.save(update_fields=["owner", "modified_at"])
        audit.record(
            "device.owner_changed",
            actor=actor,
            address=address,
            subject_type="device",
            subject=str(device.uuid),
            details={"from": before, "to": owner.value},
        )
        return _("Changed")


class ApplyLabel(Action):
    key = "apply-label"
    label = gettext_lazy("Apply label")
    explanation = gettext_lazy("What is assigned to the label comes to the devices.")
    button = gettext_lazy("Apply")
    icon = "tag"
    role = AdminRole.LABEL_APPLY

    def why_not(self, subject: Subject) -> str | None:
        return _("This device is retired.") if subject.device.status in GONE else None

    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        del address
        try:
            is_new = labels.add(_label(values), device, actor=actor)
        except LabelRefused as refused:
            raise Unmet(str(refused)) from refused
        if not is_new:
            raise Unmet(_("It has this label already."))
        return _("Applied")


class RemoveLabel(Action):
    key = "remove-label"
    label = gettext_lazy("Remove label")
    explanation = gettext_lazy("What is assigned to the label goes from the devices.")
    button = gettext_lazy("Remove")
    icon = "tag"
    role = AdminRole.LABEL_APPLY

    def why_not(self, subject: Subject) -> str | None:
        del subject
        return None

    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        del address
        try:
            was_there = labels.remove(_label(values), device, actor=actor)
        except LabelRefused as refused:
            raise Unmet(str(refused)) from refused
        if not was_there:
            raise Unmet(_("It does not have this label."))
        return _("Removed")


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
    def run(self, device: Device, values: Values, *, actor: str, address: str | None) -> str:
        """Its enrollments stay: by them a device that comes back late is told to leave."""
        del values
        standing = Device.objects.select_for_update().filter(pk=device.pk, status__in=GONE).first()
        if standing is None:
            raise Unmet(_("Only a device that is retired or wiped can be deleted."))
        audit.record(
            "device.deleted",
            actor=actor,
            address=address,
            subject_type="device",
            subject=str(device.uuid),
            details={"serial_number": device.serial_number, "name": device.device_name},
        )
        standing.delete()
        return _("Deleted")


def _label(values: Values) -> Label:
    label = values["label"]
    if not isinstance(label, Label):
        raise TypeError
    return label
