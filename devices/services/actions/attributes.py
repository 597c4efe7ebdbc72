"""Custom attributes of devices: no device hears of them."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.services import custom_attributes
from devices.services.actions.base import Action, Order, Subject, Unmet, Values
from users.models import AdminRole, CustomAttribute
from users.services.custom_attributes import InvalidAttribute


class AssignAttributes(Action):
    key = "assign-attributes"
    label = gettext_lazy("Assign custom attributes")
    explanation = gettext_lazy("An empty field leaves what each device has.")
    button = gettext_lazy("Assign")
    icon = "list-plus"
    role = AdminRole.DEVICE_MANAGE

    def packed(self, values: Values) -> dict[str, Any]:
        return {"attributes": [[attribute.pk, text] for attribute, text in values["attributes"].items()]}

    def unpacked(self, told: Values) -> Values:
        return {"attributes": {CustomAttribute.objects.get(pk=pk): text for pk, text in told["attributes"]}}

    def why_not(self, subject: Subject) -> str | None:
        del subject
        return None

    def run(self, device: Device, order: Order) -> str:
        try:
            changed = custom_attributes.set_for_device(
                device, order.values["attributes"], actor=order.actor, address=order.address
            )
        except InvalidAttribute as error:
            raise Unmet(str(error)) from error
        if not changed:
            raise Unmet(_("It has these values already."))
        return _("Assigned")
