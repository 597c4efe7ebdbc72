"""What an administrator says about a new access token."""

from collections.abc import Collection
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from users.models import AdminRole
from users.services.api_tokens import LONGEST_NAME

DAYS: Final = 90


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=LONGEST_NAME,
        help_text=_("What it is for, such as the name of the script."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    days = forms.TypedChoiceField(
        label=_("Expires after"),
        coerce=int,
        initial=DAYS,
        choices=[(7, _("7 days")), (30, _("30 days")), (90, _("90 days")), (365, _("365 days")), (730, _("730 days"))],
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        help_text=_("No more than you may yourself, as long as you may."),
        widget=forms.CheckboxSelectMultiple,
    )
    field_order = ("name", "days", "scopes")

    def __init__(self, data: Any = None, *, held: Collection[str]) -> None:
        super().__init__(data, auto_id="token_%s")
        scopes = self.fields["scopes"]
        if isinstance(scopes, forms.MultipleChoiceField):
            scopes.choices = [(role.value, role.label) for role in AdminRole if role in held and role != AdminRole.API]
