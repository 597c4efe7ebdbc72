"""On a person's page: what happens when this person enrolls a device now?"""

from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from devices.models import os_version_number
from enrollment.services import outlook
from users.models import User


class DeviceForm(forms.Form):
    family = forms.ChoiceField(
        label=gettext_lazy("Device"),
        choices=outlook.FAMILY_CHOICES,
    )
    os_version = forms.CharField(
        label=gettext_lazy("OS version"),
        required=False,
        max_length=11,
        widget=forms.TextInput(attrs={"class": "narrow", "inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy("Empty: recent enough."),
    )

    def clean_os_version(self) -> str:
        text: str = self.cleaned_data["os_version"].strip()
        if text and os_version_number(text) is None:
            raise forms.ValidationError(WRONG)
        return text


WRONG: Final = gettext_lazy("Enter versions such as 17 or 18.1.")


@require_safe
def prospect(request: HttpRequest, number: int) -> HttpResponse:
    """A part of the page; without a family the form alone."""
    user = get_object_or_404(User, pk=number)
    form = DeviceForm(request.GET if "family" in request.GET else None, initial={"family": "iPad"})
    context: dict[str, Any] = {"person": user, "form": form}
    if form.is_valid():
        context["outlook"] = outlook.look(user, **form.cleaned_data)
        context["family"] = dict(form.fields["family"].choices)[form.cleaned_data["family"]]  # type: ignore[attr-defined] # of a ChoiceField
    return render(request, "portal/people/prospect.html", context)
