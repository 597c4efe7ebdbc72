"""Manual labels, on and off."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Label
from devices.services import labels
from devices.services.actions.base import Action, Order, Subject, Unmet, Values, gone
from users.models import AdminRole


class _LabelAction(Action):
    role = AdminRole.LABEL_APPLY

    def packed(self, values: Values) -> dict[str, Any]:
        return {"label": values["label"].pk}

    def unpacked(self, told: Values) -> Values:
        return {"label": Label.objects.get(pk=told["label"])}


class ApplyLabel(_LabelAction):
    key = "apply-label"
    label = gettext_lazy("Apply label")
    explanation = gettext_lazy("What is assigned to the label comes to the devices.")
    button = gettext_lazy("Apply")
    icon = "tag"

    def why_not(self, subject: Subject) -> str | None:
        return gone(subject)

    def run(self, device: Device, order: Order) -> str:
        if not labels.add(order.values["label"], device, actor=order.actor):
            raise Unmet(_("It has this label already."))
        return _("Applied")


class RemoveLabel(_LabelAction):
    key = "remove-label"
    label = gettext_lazy("Remove label")
    explanation = gettext_lazy("What is assigned to the label goes from the devices.")
    button = gettext_lazy("Remove")
    icon = "tags"

    def why_not(self, subject: Subject) -> str | None:
        del subject
        return None

    def run(self, device: Device, order: Order) -> str:
        if not labels.remove(order.values["label"], device, actor=order.actor):
            raise Unmet(_("It does not have this label."))
        return _("Removed")
