"""What people type to register on the web."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from epmm import options, settings_store
from users.services.people import LONGEST_NAME, LONGEST_PASSWORD
from users.services.pins import LONGEST_TYPED


class GoForm(forms.Form):
    """With the fields that `registration.requirement` asks for."""

    user_id = forms.CharField(
        label=gettext_lazy("User ID or work account"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "autocapitalize": "none",
                "spellcheck": "false",
                "inputmode": "email",
                "dir": "ltr",
            }
        ),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    pin = forms.CharField(
        label=gettext_lazy("Registration PIN"),
        max_length=LONGEST_TYPED,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "dir": "ltr"}),
    )

    def __init__(self, data: object, *, requirement: str) -> None:
        super().__init__(data)  # type: ignore[arg-type] # passed on as it comes
        if requirement == "pin":
            del self.fields["password"]
        if "pin" not in requirement:
            del self.fields["pin"]
            return
        length = settings_store.read(options.PIN_LENGTH)
        hint = _("%(pin_length)s digits, from your administrator") % {"pin_length": length}
        self.fields["pin"].help_text = hint
