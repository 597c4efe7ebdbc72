"""What people and administrators type about people."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from epmm.numbers import grouped, is_typed
from users.password_policy import PasswordPolicy
from users.services.people import LONGEST_NAME, LONGEST_PASSWORD


class SignInForm(forms.Form):
    user_id = forms.CharField(
        label=_("User ID"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "off", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    consent = forms.BooleanField(
        label=_("I have read the text below and accept it."),
        error_messages={"required": _("Without your consent nobody signs in here.")},
    )

    def __init__(self, *arguments: Any, asks_consent: bool = False, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if not asks_consent:
            self.fields.pop("consent")


class NewPasswordForm(forms.Form):
    password = forms.CharField(
        label=_("New password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )
    again = forms.CharField(
        label=_("The same again"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["password"].help_text = PasswordPolicy().get_help_text()

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("password") != given.get("again"):
            self.add_error("again", _("The two are not the same."))
        return given


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=16,
        help_text=_("The six digits that your authenticator shows, or a backup code."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


class ConfirmForm(forms.Form):
    password = SignInForm.base_fields["password"]
    code = forms.CharField(label=_("Code"), max_length=16, required=False, widget=CodeForm.base_fields["code"].widget)

    def __init__(self, *arguments: object, asks_code: bool, **keywords: object) -> None:
        super().__init__(*arguments, **keywords)  # type: ignore[arg-type] # passed on as they come
        if asks_code:
            self.fields["code"].required = True
        else:
            del self.fields["code"]


class ElsewhereForm(forms.Form):
    """In the place of `ConfirmForm` for who has no password of ours."""

    def __init__(self, provider: str, *, address: str) -> None:
        super().__init__()
        self.provider, self.address = provider, address


class PersonForm(forms.Form):
    """Of somebody else: a browser must not fill in its owner."""

    def __init__(self, *arguments: object, **keywords: object) -> None:
        super().__init__(*arguments, **keywords)  # type: ignore[arg-type] # passed on as they come
        for field in self.fields.values():
            field.widget.attrs.setdefault("autocomplete", "off")

    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    display_name = forms.CharField(
        label=_("Display name"),
        max_length=300,
        required=False,
        help_text=_("Empty: first and last name, else the user ID."),
    )
    email = forms.EmailField(label=_("Email"), max_length=320, required=False, help_text=_("Needed for invitations."))
    managed_apple_account = forms.CharField(
        label=_("Managed Apple Account"),
        max_length=320,
        required=False,
        help_text=_("Needed for account-driven enrollment."),
        widget=forms.TextInput(attrs={"autocapitalize": "off", "spellcheck": "false", "inputmode": "email"}),
    )


class NewPersonForm(PersonForm):
    user_id = forms.CharField(
        label=_("User ID"),
        max_length=150,
        help_text=_("Letters, digits and - _ . @ $ # without spaces."),
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "off", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("Confirm password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    field_order = ("user_id", "first_name", "last_name", "display_name", "password", "again", "email")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["password"].help_text = PasswordPolicy().get_help_text()

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("password") != given.get("again"):
            self.add_error("again", _("The two are not the same."))
        return given


class OwnPasswordForm(NewPasswordForm):
    current = forms.CharField(
        label=_("Current password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("current", "password", "again")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["password"].widget.attrs.pop("autofocus", None)


class TypedForm(forms.Form):
    """Typed out by whoever means it."""

    typed = forms.CharField(
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )

    def __init__(self, data: Any, *, label: str, wanted: str | int) -> None:
        super().__init__(data)
        self.fields["typed"].label = label
        self._wanted = wanted

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        is_right = typed == self._wanted if isinstance(self._wanted, str) else is_typed(typed, self._wanted)
        if not is_right:
            raise forms.ValidationError(_("This is not what is to be typed."))
        return typed


class DeleteForm(TypedForm):
    """`devices`: how many the chosen people have, for who may retire them."""

    retire = forms.BooleanField(required=False)

    def __init__(self, data: Any, *, label: str, wanted: str | int, devices: int) -> None:
        super().__init__(data, label=label, wanted=wanted)
        if not devices:
            del self.fields["retire"]
            return
        self.fields["retire"].label = gettext("Retire their devices first: {n}").format(n=grouped(devices))
        self.fields["retire"].help_text = _(
            "Who has devices is not deleted now, but can be as soon as the devices are gone."
        )
