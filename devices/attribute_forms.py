"""Custom attributes of several devices at once."""

from typing import Any

from devices.action_forms import ActionForm
from users.attribute_forms import ValuesForSeveral
from users.models import CustomAttribute
from users.services import custom_attributes


class AttributesActionForm(ValuesForSeveral, ActionForm):
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.add_attributes(custom_attributes.defined(CustomAttribute.Subject.DEVICE))

    def clean(self) -> dict[str, Any]:
        """`attributes`: what the action reads."""
        given = super().clean()
        return given | {"attributes": self.values}
