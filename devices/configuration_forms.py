"""What administrators type and upload about configurations."""

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Label
from devices.protocol.configuration_profile import LARGEST
from devices.services.find import find_device


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Configuration profile"),
        help_text=gettext_lazy("A .mobileconfig, signed or not. One with a known identifier is its new version."),
        error_messages={"required": gettext_lazy("Choose the file first.")},
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=255,
        help_text=gettext_lazy("Instead of the one in the profile."),
    )

    def content(self) -> bytes:
        """A byte more than is accepted says that there are too many."""
        return bytes(self.cleaned_data["file"].read(LARGEST + 1))


class LongSelect(forms.Select):
    """Django's own renders a template for each option, and labels are many."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:  # noqa: ARG002
        widget = self.get_context(name, value, attrs)["widget"]
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (option["value"], mark_safe(" selected") if option["selected"] else "", option["label"])
                for _group, options, _index in widget["optgroups"]
                for option in options
            ),
        )
        return format_html('<select name="{}"{}>{}</select>', name, flatatt(widget["attrs"]), options)


class LabelField(forms.ModelChoiceField):  # type: ignore[type-arg] # not generic when it runs
    def label_from_instance(self, obj: Label) -> str:
        return obj.name


class AssignForm(forms.Form):
    label = LabelField(
        Label.objects.none(),
        label=gettext_lazy("Label"),
        required=False,
        empty_label=gettext_lazy("None"),
        widget=LongSelect,
    )
    device = forms.CharField(
        label=gettext_lazy("Or one device"),
        required=False,
        max_length=128,
        help_text=gettext_lazy("Serial number, UDID or UUID."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        field = self.fields["label"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = Label.objects.order_by("name")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if bool(given.get("label")) == bool(given.get("device")):
            raise forms.ValidationError(_("Choose a label or name a device, one of the two."))
        return given

    def target(self) -> Device | Label:
        """Raises DeviceNotFound."""
        chosen: Label | None = self.cleaned_data["label"]
        return chosen if chosen is not None else find_device(self.cleaned_data["device"].strip())
