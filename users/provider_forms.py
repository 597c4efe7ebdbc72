"""An identity provider as an administrator fills it in."""

from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from users.errors import InvalidPerson
from users.models import IdentityProvider
from users.protocol.claims import LONGEST_GROUP
from users.services import account_patterns, group_rules
from users.services.oidc import providers

LONGEST_SECRET: Final = 1024
MOST_GROUPS: Final = 200
NO_FIELDS: Final = {"is_enabled", "directory_id"}
PLAIN: Final = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg] # not generic when it runs
    client_secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        max_length=LONGEST_SECRET,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    groups = forms.CharField(
        label=gettext_lazy("Groups to use here"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, **PLAIN}),
        help_text=gettext_lazy("One a line, as the claim names them. Their members inherit the roles of the group."),
    )

    class Meta:
        model = IdentityProvider
        fields: ClassVar = [name for name in providers.AUDITED if name not in NO_FIELDS] + ["directory"]
        labels: ClassVar = {
            "name": gettext_lazy("Name"),
            "position": gettext_lazy("Order"),
            "for_portal": gettext_lazy("For the Admin Portal"),
            "for_enrollment": gettext_lazy("For enrollment"),
            "for_self": gettext_lazy("For the user portal"),
            "directory": gettext_lazy("People of this directory are the same"),
            "matches_by": gettext_lazy("They are known again by"),
            "issuer": gettext_lazy("Issuer"),
            "client_id": gettext_lazy("Client ID"),
            "scopes": gettext_lazy("Scopes"),
            "user_id_claim": gettext_lazy("Claim of the user ID"),
            "email_claim": gettext_lazy("Claim of the email address"),
            "name_claim": gettext_lazy("Claim of the display name"),
            "first_name_claim": gettext_lazy("Claim of the first name"),
            "last_name_claim": gettext_lazy("Claim of the last name"),
            "groups_claim": gettext_lazy("Claim of the groups"),
            "account_claim": gettext_lazy("Claim of the Managed Apple Account"),
            "account_source": gettext_lazy("Managed Apple Accounts"),
            "account_pattern": gettext_lazy("Pattern for the Managed Apple Account"),
            "allowed_groups": gettext_lazy("Only people of these groups"),
            "creates_people": gettext_lazy("Add people at their first sign-in"),
            "links_people": gettext_lazy("Link people who were added here beforehand"),
        }
        help_texts: ClassVar = {
            "name": gettext_lazy("On the button that people press."),
            "position": gettext_lazy("Smaller numbers stand first."),
            "issuer": gettext_lazy("Its address, under which /.well-known/openid-configuration is found."),
            "account_claim": gettext_lazy("Empty: administrators enter the accounts."),
            "allowed_groups": gettext_lazy("One a line. Empty: everybody who can sign in there."),
            "directory": gettext_lazy(
                "Choose one only if this provider speaks for it. Its people sign in here as well and stay people of the"
                " directory. Local people and administrators are never matched."
            ),
            "matches_by": gettext_lazy("Once: from then on by the provider's own identifier."),
            "links_people": gettext_lazy(
                "By user ID, and only those who have no password, no PIN and no administrator role."
            ),
        }
        widgets: ClassVar = {
            "allowed_groups": forms.Textarea(attrs={"rows": 3, **PLAIN}),
            "issuer": forms.URLInput(attrs={"placeholder": "https://login.example.com", **PLAIN}),
        }

    field_order = (
        "name", "issuer", "client_id", "client_secret", "scopes", "for_enrollment", "for_self", "for_portal",
        "directory", "matches_by", "creates_people", "links_people", "allowed_groups", "groups", "position",
    )  # fmt: skip

    def __init__(self, *arguments: Any, is_read_only: bool = False, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["account_source"].required = False
        if self.instance.pk:
            named = self.instance.groups.order_by("name").values_list("external_id", flat=True)
            self.fields["groups"].initial = "\n".join(named)
            if ruled := group_rules.with_rule(provider=self.instance):
                told = _("Groups with an enrollment rule, which goes with them: {names}.").format(
                    names=", ".join(ruled)
                )
                self.fields["groups"].help_text = f"{self.fields['groups'].help_text} {told}"
            self.fields["client_secret"].help_text = _("Empty: it stays as it is. A new issuer needs it again.")
        self.fields["matches_by"].required = False
        chosen = self.fields["directory"]
        if isinstance(chosen, forms.ModelChoiceField):
            chosen.empty_label = _("None")
        for field in self.fields.values():
            field.disabled = is_read_only
            if isinstance(field.widget, forms.TextInput):
                field.widget.attrs = PLAIN | field.widget.attrs

    def clean_issuer(self) -> str:
        issuer: str = self.cleaned_data["issuer"].strip()
        try:
            parts = urlsplit(issuer)
            is_address = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
        except ValueError:
            is_address = False
        if not is_address or parts.query or parts.fragment or not issuer.isprintable():
            raise forms.ValidationError(_("Enter an address that begins with https://."))
        try:
            providers.keep_issuer(self.instance, issuer)
        except InvalidPerson as error:
            raise forms.ValidationError(str(error)) from error
        return issuer

    def clean_matches_by(self) -> str:
        """Not said where there is no directory to choose."""
        return self.cleaned_data["matches_by"] or IdentityProvider.Match.USER_ID

    def clean_client_id(self) -> str:
        client_id: str = self.cleaned_data["client_id"].strip()
        if not client_id:
            raise forms.ValidationError(_("Enter the client ID that the provider has given this server."))
        return client_id

    def clean_scopes(self) -> str:
        scopes: list[str] = self.cleaned_data["scopes"].split()
        if "openid" not in scopes:
            raise forms.ValidationError(_("openid must be among them."))
        return " ".join(scopes)

    def clean_account_source(self) -> str:
        source: str = self.cleaned_data["account_source"]
        return source or self.instance.account_source

    def clean_account_pattern(self) -> str:
        return account_patterns.checked(self.cleaned_data["account_pattern"], self.cleaned_data.get("account_source"))

    def clean_groups(self) -> list[str]:
        names = list(dict.fromkeys(filter(None, map(str.strip, self.cleaned_data["groups"].splitlines()))))
        if len(names) > MOST_GROUPS or any(len(name) > LONGEST_GROUP for name in names):
            raise forms.ValidationError(_("At most 200 groups, each with at most 255 characters."))
        return names
