"""Custom attributes as forms ask for them: a field for each that is defined."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from users.attribute_models import LONGEST_TEXT
from users.models import CustomAttribute
from users.services import custom_attributes
from users.services.custom_attributes import LONGEST_DESCRIPTION, LONGEST_NAME, InvalidAttribute

CLEAR: Final = "clear"
FLAGS: Final = (("", gettext_lazy("not set")), ("true", gettext_lazy("true")), ("false", gettext_lazy("false")))


class AttributeForm(forms.Form):
    """A definition."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=LONGEST_NAME,
        help_text=gettext_lazy("Letters, digits and _; searched as custom.device.name or custom.user.name."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )
    subject = forms.ChoiceField(label=gettext_lazy("Applies to"), choices=CustomAttribute.Subject.choices)
    kind = forms.ChoiceField(label=gettext_lazy("Type"), choices=CustomAttribute.Kind.choices)
    description = forms.CharField(label=gettext_lazy("Description"), max_length=LONGEST_DESCRIPTION, required=False)


class DescriptionForm(forms.Form):
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=LONGEST_DESCRIPTION,
        required=False,
        widget=forms.TextInput(attrs={"autofocus": True}),
    )


class ValuesForm(forms.Form):
    """What one person or device has of each attribute; changed is what was typed, the rest stays."""

    def __init__(
        self, data: Any, attributes: Sequence[CustomAttribute], texts: Mapping[int, str], *, is_read_only: bool = False
    ) -> None:
        super().__init__(data, auto_id="value_%s")
        self.attributes = {f"attribute_{attribute.pk}": attribute for attribute in attributes}
        for name, attribute in self.attributes.items():
            field = self.fields[name] = field_of(attribute)
            field.initial, field.disabled = texts.get(attribute.pk, ""), is_read_only
            field.show_hidden_initial = not is_read_only

    def clean(self) -> dict[str, Any]:
        return _checked(self, super().clean() or {}, self.attributes)

    @property
    def values(self) -> dict[CustomAttribute, str]:
        """What was changed since the page was shown: two administrators do not undo each other's work."""
        return {self.attributes[name]: self.cleaned_data[name] for name in self.changed_data}


class ValuesForSeveral(forms.Form):
    """What each of several gets: an empty field leaves theirs, a tick takes it away.

    A mixin: forms of actions have a base of their own.
    """

    def add_attributes(self, attributes: Sequence[CustomAttribute]) -> None:
        self.attributes = {f"attribute_{attribute.pk}": attribute for attribute in attributes}
        for name, attribute in self.attributes.items():
            field = self.fields[name] = field_of(attribute)
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", _("leave as it is")), *FLAGS[1:]]
            label = _("Take {name} away").format(name=attribute.name)
            self.fields[f"{CLEAR}_{attribute.pk}"] = forms.BooleanField(label=label, required=False)

    def clean(self) -> dict[str, Any]:
        given = _checked(self, super().clean() or {}, self.attributes)
        for name, attribute in self.attributes.items():
            if given.get(name) and given.get(f"{CLEAR}_{attribute.pk}"):
                self.add_error(name, _("Either a value, or take it away."))
        if not self.attributes:
            raise forms.ValidationError(_("No custom attributes are defined."))
        if not self.errors and not self.values:
            raise forms.ValidationError(_("Enter a value, or tick what is to be taken away."))
        return given

    @property
    def values(self) -> dict[CustomAttribute, str]:
        found = {}
        for name, attribute in self.attributes.items():
            typed, is_cleared = self.cleaned_data.get(name), self.cleaned_data.get(f"{CLEAR}_{attribute.pk}")
            if typed or is_cleared:
                found[attribute] = typed or ""
        return found


class PeopleValuesForm(ValuesForSeveral):
    def __init__(self, data: Any) -> None:
        super().__init__(data, auto_id="action_%s")
        self.add_attributes(custom_attributes.defined(CustomAttribute.Subject.USER))


def field_of(attribute: CustomAttribute) -> forms.Field:
    common: dict[str, Any] = {"label": attribute.name, "help_text": attribute.description, "required": False}
    quiet = {"autocomplete": "off"}
    match attribute.kind:
        case CustomAttribute.Kind.BOOLEAN:
            return forms.ChoiceField(choices=FLAGS, **common)
        case CustomAttribute.Kind.DATE:
            widget = forms.TextInput(attrs=quiet | {"type": "date"})
        case CustomAttribute.Kind.NUMBER:
            widget = forms.TextInput(attrs=quiet | {"inputmode": "decimal"})
        case _:
            widget = forms.TextInput(attrs=quiet)
    return forms.CharField(max_length=LONGEST_TEXT, widget=widget, **common)


def _checked(form: forms.Form, given: dict[str, Any], attributes: Mapping[str, CustomAttribute]) -> dict[str, Any]:
    for name in attributes.keys() & given.keys():
        try:
            custom_attributes.stored(attributes[name], given[name])
        except InvalidAttribute as error:
            form.add_error(name, str(error))
    return given
