"""Manual labels, on and off."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.services import labels
from devices.services.actions.base import Action, Order, Subject, Unmet, gone
from users.models import AdminRole


class ApplyLabel(Action):
    key = "apply-label"
    label = gettext_lazy("Apply label")
    explanation = gettext_lazy("What is assigned to the label comes to the devices.")
    button = gettext_lazy("Apply")
    icon = "tag"
    role = AdminRole.LABEL_APPLY

    def why_not(self, subject: Subject) -> str | None:
        return gone(subject)

    def run(self, device: Device, order: Order) -> str:
        if not labels.add(order.values["label"], device, actor=order.actor):
            raise Unmet(_("It has this label already."))
        return _("Applied")


class RemoveLabel(Action):
    key = "remove-label"
    label = gettext_lazy("Remove label")
    explanation = gettext_lazy("What is assigned to the label goes from the devices.")
    button = gettext_lazy("Remove")
    icon = "tags"
    role = AdminRole.LABEL_APPLY

    def why_not(self, subject: Subject) -> str | None:
        del subject
        return None

    def run(self, device: Device, order: Order) -> str:
        if not labels.remove(order.values["label"], device, actor=order.actor):
            raise Unmet(_("It does not have this label."))
        return _("Removed")
