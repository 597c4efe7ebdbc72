"""What administrators type about devices."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Label
from devices.protocol.commands.lifecycle import MAC_PIN_LENGTH
from devices.services.actions import Subject, Unmet, updates
from devices.services.labels import LONGEST_DESCRIPTION, LONGEST_NAME
from epmm import mail
from epmm.mail import MailRefused
from epmm.numbers import grouped, is_typed
from users.errors import UnknownPerson
from users.models import User
from users.services import people

LONGEST_MESSAGE: Final = 500
LONGEST_PHONE_NUMBER: Final = 32
LONGEST_COMMENT: Final = 4_000


class ActionForm(forms.Form):
    """Of an action that asks nothing; `going` are the devices that it goes to, the first of `number`."""

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        going: Sequence[Subject],
        number: int | None = None,
        has_mac: bool = False,
    ) -> None:
        super().__init__(data, auto_id="action_%s")
        self.going = going
        self.number = len(going) if number is None else number
        if not has_mac and not any(subject.is_mac for subject in going):
            self.fields.pop("pin", None)


class PinForm(ActionForm):
    pin = forms.RegexField(
        rf"^[0-9]{{{MAC_PIN_LENGTH}}}\Z",
        label=gettext_lazy("PIN for Macs"),
        required=False,
        help_text=gettext_lazy("Six digits that unlock the Mac again. Note them: they are shown nowhere."),
        error_messages={"invalid": gettext_lazy("Type six digits.")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class LockForm(PinForm):
    message = forms.CharField(
        label=gettext_lazy("Message"),
        required=False,
        max_length=LONGEST_MESSAGE,
        widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
    )
    phone_number = forms.CharField(
        label=gettext_lazy("Phone number"),
        required=False,
        max_length=LONGEST_PHONE_NUMBER,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
    )
    field_order = ("message", "phone_number", "pin")


class WipeForm(PinForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=LONGEST_MESSAGE, help_text=gettext_lazy("Kept in the audit log.")
    )
    typed = forms.CharField(
        label=gettext_lazy("Confirmation"),
        max_length=255,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}),
    )
    field_order = ("reason", "pin", "typed")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.wanted = self.going[0].name if self.number == 1 else grouped(self.number)
        if self.number == 1:
            says = _("This erases {device} completely and cannot be undone. Type the device name to continue.")
            self.fields["typed"].help_text = says.format(device=self.wanted)
        else:
            says = _("This erases {n} devices completely and cannot be undone. Type {n} to continue.")
            self.fields["typed"].help_text = says.format(n=self.wanted)

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"])
        is_number = self.number > 1 and is_typed(typed, self.number)
        if not is_number and typed.strip().casefold() != self.wanted.strip().casefold():
            raise forms.ValidationError(_("This is not “{text}”.").format(text=self.wanted))
        return typed


class MessageForm(ActionForm):
    subject = forms.CharField(
        label=gettext_lazy("Subject"),
        max_length=mail.LONGEST_SUBJECT,
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    message = forms.CharField(
        label=gettext_lazy("Message"), max_length=LONGEST_COMMENT, widget=forms.Textarea(attrs={"rows": 6})
    )

    def clean_subject(self) -> str:
        try:
            return mail.subject(str(self.cleaned_data["subject"]))
        except MailRefused as refused:
            raise forms.ValidationError(str(refused)) from refused


class UpdateForm(ActionForm):
    version = forms.CharField(
        label=gettext_lazy("Version"),
        max_length=16,
        help_text=gettext_lazy("Such as 18.2. A device that has it, or a later one, does nothing."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    by = forms.CharField(
        label=gettext_lazy("Latest by"),
        max_length=19,
        help_text=gettext_lazy("By the clock of the device, wherever it is."),
        widget=forms.TextInput(attrs={"type": "datetime-local"}),
    )
    details_url = forms.URLField(
        label=gettext_lazy("Page that explains it"),
        required=False,
        assume_scheme="https",
        help_text=gettext_lazy("Shown to the user with the reminders; it begins with https://."),
    )

    def clean_version(self) -> str:
        return self._said(updates.version, "version")

    def clean_by(self) -> str:
        return self._said(updates.latest_by, "by")

    def clean_details_url(self) -> str:
        return self._said(updates.details_url, "details_url")

    def _said(self, read: Callable[[str], str], name: str) -> str:
        try:
            return read(str(self.cleaned_data[name]))
        except Unmet as unmet:
            raise forms.ValidationError(str(unmet)) from unmet


class RetireForm(ActionForm):
    at_once = forms.BooleanField(
        label=gettext_lazy("Retire the record at once"),
        required=False,
        help_text=gettext_lazy("For a device that will not come back. Should it, it is told to leave."),
    )


class RoamingForm(ActionForm):
    switch = forms.ChoiceField(
        label=gettext_lazy("Setting"),
        choices=[
            ("ENABLE_DATA_ROAMING", gettext_lazy("Enable data roaming")),
            ("DISABLE_DATA_ROAMING", gettext_lazy("Disable data roaming")),
            ("ENABLE_VOICE_ROAMING", gettext_lazy("Enable voice roaming")),
            ("DISABLE_VOICE_ROAMING", gettext_lazy("Disable voice roaming")),
            ("ENABLE_PERSONAL_HOTSPOT", gettext_lazy("Enable personal hotspot")),
            ("DISABLE_PERSONAL_HOTSPOT", gettext_lazy("Disable personal hotspot")),
        ],
    )


class OwnershipForm(ActionForm):
    owner = forms.ChoiceField(label=gettext_lazy("Owner"), choices=Device.Owner.choices)


class LabelChoiceForm(ActionForm):
    label = forms.ModelChoiceField(Label.objects.none(), label=gettext_lazy("Label"), empty_label=None)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        field = self.fields["label"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = Label.objects.filter(kind=Label.Kind.MANUAL).order_by("name")


class UserForm(ActionForm):
    user = forms.CharField(
        label=gettext_lazy("User ID"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "autofocus": True}),
    )

    def clean_user(self) -> User:
        try:
            person = people.by_user_id(str(self.cleaned_data["user"]).strip())
        except UnknownPerson as unknown:
            raise forms.ValidationError(str(unknown)) from unknown
        if not person.is_active:
            raise forms.ValidationError(_("This account is disabled."))
        return person


class CommentForm(ActionForm):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=LONGEST_COMMENT,
        widget=forms.Textarea(attrs={"rows": 5, "autofocus": True}),
    )

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.number == 1:
            self.fields["comment"].initial = self.going[0].device.comment


FORMS: Final[Mapping[str, type[ActionForm]]] = {
    "lock": LockForm,
    "message": MessageForm,
    "update-os": UpdateForm,
    "roaming": RoamingForm,
    "wipe": WipeForm,
    "retire": RetireForm,
    "ownership": OwnershipForm,
    "user": UserForm,
    "apply-label": LabelChoiceForm,
    "remove-label": LabelChoiceForm,
    "comment": CommentForm,
}


class LabelForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=LONGEST_NAME, widget=forms.TextInput(attrs={"autofocus": True})
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=LONGEST_DESCRIPTION,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class NewLabelForm(LabelForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("Type"),
        choices=[
            (Label.Kind.MANUAL, gettext_lazy("Manual: devices are added by hand")),
            (Label.Kind.FILTER, gettext_lazy("Filter: its criteria say which devices belong to it")),
        ],
        initial=Label.Kind.MANUAL,
        required=False,
        widget=forms.Select(attrs={"data-source": True}),
    )
