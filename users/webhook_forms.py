"""A webhook as an administrator fills it in."""

from typing import Any, Final
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from epmm import masking, webhooks
from epmm.models import Webhook
from users.provider_forms import PLAIN

LONGEST_NAME: Final = 100
LONGEST_ADDRESS: Final = 500
COLUMNS: Final = {"name": "name", "url": "url", "kinds": "kinds", "personal": "hidden_fields"}


class WebhookForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=LONGEST_NAME, widget=forms.TextInput(attrs=PLAIN))
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=LONGEST_ADDRESS,
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.com/epmm", **PLAIN}),
        help_text=gettext_lazy(
            "It gets a POST with JSON for each event. Addresses inside networks, and http://, only where"
            " EPMM_OUTBOUND_NETWORKS names them."
        ),
    )
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one event.")},
    )
    personal = forms.MultipleChoiceField(
        label=gettext_lazy("Personal data that it is not told"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("What is ticked arrives as asterisks, or empty."),
    )

    def __init__(self, data: Any, *, webhook: Webhook, is_read_only: bool = False) -> None:
        super().__init__(data, initial={name: getattr(webhook, column) for name, column in COLUMNS.items()})
        self.webhook = webhook
        self.fields["kinds"].choices = [(kind.name, _labelled(kind)) for kind in webhooks.choosable()]  # type: ignore[attr-defined] # a choice
        self.fields["personal"].choices = list(masking.FIELDS.items())  # type: ignore[attr-defined] # as above
        for field in self.fields.values():
            field.disabled = is_read_only

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if Webhook.objects.filter(name=name).exclude(pk=self.webhook.pk).exists():
            raise forms.ValidationError(webhooks.taken_sentence())
        return name

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.username is None
            is_address = is_address and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address or parts.fragment or not url.isprintable() or " " in url:
            raise forms.ValidationError(_("Enter an address that begins with https://."))
        return url

    def fill(self) -> Webhook:
        for name, column in COLUMNS.items():
            setattr(self.webhook, column, self.cleaned_data[name])
        return self.webhook


def _labelled(kind: Any) -> str:
    return f"{kind.label} ({kind.name})"
