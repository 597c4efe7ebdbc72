"""What an enrollment domain offers, as an administrator fills it in."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from devices.models import Enrollment
from enrollment.services import domains, outlook, policy
from epmm import options
from epmm.option_texts import FAMILIES
from epmm.settings_store import InvalidSetting


class OffersForm(forms.Form):
    """A field for each kind of enrollment: to which kinds of device the domain offers it."""

    def __init__(self, domain: str, data: Any = None) -> None:
        super().__init__(data)
        self._domain = domain
        present, on = options.domain_offers(domain), policy.offered()
        for kind in Enrollment.Kind:
            self.fields[kind] = forms.MultipleChoiceField(
                label=str(outlook.KINDS[kind]),
                choices=outlook.FAMILY_CHOICES,
                initial=[family for family in FAMILIES if f"{kind}/{family}" in present],
                required=False,
                widget=forms.CheckboxSelectMultiple,
                help_text="" if kind in on else _("Switched off at present, for all domains."),
            )

    def save(self, *, actor: str, address: str | None) -> bool:
        """False when something is wrong, which the form then says."""
        chosen = [f"{kind}/{family}" for kind in Enrollment.Kind for family in self.cleaned_data[kind]]
        try:
            domains.narrow(self._domain, chosen, actor=actor, address=address)
        except InvalidSetting as error:
            self.add_error(None, _("This value is not possible. Accepted: %(values)s.") % {"values": error})
            return False
        return True
