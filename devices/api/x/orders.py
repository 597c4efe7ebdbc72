"""What is typed with each action: the values, as the portal's dialogs ask for them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from rest_framework import serializers

from devices.action_forms import LONGEST_COMMENT, LONGEST_MESSAGE, LONGEST_PHONE_NUMBER
from devices.models import Device, Label
from devices.protocol.commands.lifecycle import MAC_PIN_LENGTH
from devices.services.actions import Action, Unmet, Values, updates
from devices.services.actions.remote import SWITCHES
from epmm import mail
from epmm.api import problems
from epmm.api.fields import Flag, Given, Text, Uuid, Whole, read
from epmm.mail import MailRefused
from users.api import attributes
from users.models import CustomAttribute, User

HELP: Final = (
    "Of `lock`: `message`, `phone_number`, `pin` for Macs; of `wipe`: `reason`, `pin`; of `retire`: `at_once`; "
    "of `message`: `subject`, `message`; of `ownership`: `owner`; of `user`: `user`, a UUID; of `apply-label` and "
    "`remove-label`: `label`, its number; of `comment`: `comment`; of `assign-attributes`: `attributes`, by name; "
    "of `update-os`: `version`, `by`, such as `2025-06-01T20:00` by the clock of the device, and `details_url`; "
    "of `roaming`: `switch`. "
    "The others have none."
)


class Pin(serializers.RegexField):
    def __init__(self, **keywords: Any) -> None:
        super().__init__(rf"^[0-9]{{{MAC_PIN_LENGTH}}}\Z", allow_blank=True, default="", **keywords)


class LockValues(Given):
    message = Text(max_length=LONGEST_MESSAGE, allow_blank=True, default="")
    phone_number = Text(max_length=LONGEST_PHONE_NUMBER, allow_blank=True, default="")
    pin = Pin()


class WipeValues(Given):
    reason = Text(max_length=LONGEST_MESSAGE)
    pin = Pin()


class RetireValues(Given):
    at_once = Flag(default=False)


class MessageValues(Given):
    subject = Text(max_length=mail.LONGEST_SUBJECT)
    message = Text(max_length=LONGEST_COMMENT)

    def validate_subject(self, text: str) -> str:
        try:
            return mail.subject(text)
        except MailRefused as refused:
            raise serializers.ValidationError(str(refused)) from refused


class UpdateValues(Given):
    version = Text(max_length=16)
    by = Text(max_length=19)
    details_url = Text(max_length=2000, allow_blank=True, default="")

    def validate_version(self, typed: str) -> str:
        return _said(updates.version, typed)

    def validate_by(self, typed: str) -> str:
        return _said(updates.latest_by, typed)

    def validate_details_url(self, typed: str) -> str:
        return _said(updates.details_url, typed)


def _said(read: Callable[[str], str], typed: str) -> str:
    try:
        return read(typed)
    except Unmet as unmet:
        raise serializers.ValidationError(str(unmet)) from unmet


class RoamingValues(Given):
    switch = serializers.ChoiceField(list(SWITCHES))


class OwnershipValues(Given):
    owner = serializers.ChoiceField(Device.Owner.choices)


class UserValues(Given):
    user = Uuid()

    def validate_user(self, uuid: Any) -> User:
        found = User.objects.filter(uuid=uuid, is_active=True).first()
        if found is None:
            raise serializers.ValidationError(_("There is no such user, or they are disabled."))
        return found


class LabelValues(Given):
    label = Whole(  # type: ignore[assignment] # the framework has this name, too
        min_value=1, max_value=2**62
    )

    def validate_label(self, number: int) -> Label:
        found = Label.objects.filter(pk=number).first()
        if found is None:
            raise serializers.ValidationError(_("There is no label with this number."))
        return found


class CommentValues(Given):
    comment = Text(max_length=LONGEST_COMMENT, allow_blank=True)


class AttributesValues(Given):
    attributes = serializers.DictField(child=Text(max_length=LONGEST_COMMENT, allow_blank=True))

    def validate_attributes(self, texts: dict[str, str]) -> dict[CustomAttribute, str]:
        return attributes.given(texts, CustomAttribute.Subject.DEVICE)


VALUES: Final[Mapping[str, type[Given]]] = {
    "lock": LockValues,
    "wipe": WipeValues,
    "retire": RetireValues,
    "message": MessageValues,
    "update-os": UpdateValues,
    "roaming": RoamingValues,
    "ownership": OwnershipValues,
    "user": UserValues,
    "apply-label": LabelValues,
    "remove-label": LabelValues,
    "comment": CommentValues,
    "assign-attributes": AttributesValues,
}


def values(action: Action, given: Mapping[str, Any]) -> Values:
    """Raises ApiError, which points at what is wrong."""
    found = read(VALUES.get(action.key, Given), given)
    if not found.is_valid():
        raise problems.invalid_fields({"values": found.errors})
    return dict(found.validated_data)
