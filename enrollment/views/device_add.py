"""Devices > Add: a single device, or multiple by a CSV file; each waits until its person signs in on it."""

from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from devices.models import Device
from enrollment.services import announcing, registration
from enrollment.services.announcing import COLUMNS, AnnouncementRefused, Expected
from epmm import mail
from epmm.mail import MailRefused
from epmm.numbers import grouped
from users.errors import UnknownPerson
from users.services import people
from users.views.dialogs import administrator, done

LARGEST: Final = 1_000_000
PROBLEMS: Final = 10


class _Notifying(forms.Form):
    notify = forms.BooleanField(
        label=gettext_lazy("Notify the user"),
        required=False,
        help_text=gettext_lazy("By the mail of Send Invitation, without a PIN."),
    )

    def __init__(self, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files, auto_id="add_%s")
        if not mail.is_set_up():
            field = self.fields["notify"]
            field.disabled, field.help_text = True, _("No mail server is set up: see Settings > Outgoing mail.")


class SingleForm(_Notifying):
    user = forms.CharField(
        label=gettext_lazy("User ID"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "autofocus": True}),
    )
    platform = forms.ChoiceField(
        label=gettext_lazy("Platform"), required=False, choices=[("", gettext_lazy("Any")), *Device.Platform.choices]
    )
    owner = forms.ChoiceField(
        label=gettext_lazy("Owner"),
        required=False,
        choices=[("", gettext_lazy("As the settings say")), *Device.Owner.choices],
    )
    country = forms.CharField(
        label=gettext_lazy("Country"),
        required=False,
        max_length=2,
        widget=forms.TextInput(attrs={"class": "narrow", "autocomplete": "off"}),
        help_text=gettext_lazy("Two letters, such as AT."),
    )
    phone_number = forms.CharField(
        label=gettext_lazy("Phone number"),
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
        help_text=gettext_lazy("Empty where there is none."),
    )
    pin = forms.BooleanField(
        label=gettext_lazy("Issue a registration PIN"),
        required=False,
        help_text=gettext_lazy("Shown here once, to be passed on over a safe way."),
    )
    field_order = ("user", "platform", "owner", "country", "phone_number", "pin", "notify")


class ManyForm(_Notifying):
    file = forms.FileField(label=gettext_lazy("CSV file"), allow_empty_file=True)
    field_order = ("file", "notify")

    def clean_file(self) -> "UploadedFile[bytes]":
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > LARGEST:
            raise forms.ValidationError(_("A file has 1 to {n} devices.").format(n=grouped(announcing.MOST)))
        return file


@require_http_methods(["GET", "HEAD", "POST"])
def single(request: HttpRequest) -> HttpResponse:
    form = SingleForm(request.POST if request.method == "POST" else None)
    digits, actor = "", administrator(request).user_id
    if form.is_valid():
        try:
            expected = _expected(form.cleaned_data)
            _announced(request, [expected], notify=form.cleaned_data["notify"])
            if form.cleaned_data["pin"]:
                digits = registration.issue_pin(expected.user, actor)
        except (AnnouncementRefused, UnknownPerson, MailRefused) as refused:
            form.add_error(None, str(refused))
        else:
            said = _("{name} is expected to enroll a device.").format(name=expected.user.display_name)
            if not digits:
                return done(request, said)
            return render(request, "portal/device/add_pin.html", {"said": said, "digits": digits})
    return render(request, "portal/device/add.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def many(request: HttpRequest) -> HttpResponse:
    form = ManyForm(request.POST, request.FILES) if request.method == "POST" else ManyForm()
    if form.is_valid():
        try:
            expected = announcing.read(form.cleaned_data["file"].read())
            _announced(request, expected, notify=form.cleaned_data["notify"])
        except AnnouncementRefused as refused:
            more = len(refused.args) - PROBLEMS
            for sentence in refused.args[:PROBLEMS]:
                form.add_error("file", sentence)
            if more > 0:
                form.add_error("file", _("and {more} more").format(more=more))
        except MailRefused as refused:
            form.add_error(None, str(refused))
        else:
            return done(request, _("Devices that are expected now: {n}").format(n=grouped(len(expected))))
    context = {"form": form, "columns": COLUMNS, "most": announcing.MOST}
    return render(request, "portal/device/add_many.html", context, status=422 if form.errors else 200)


def _expected(given: dict[str, Any]) -> Expected:
    """Raises UnknownPerson or AnnouncementRefused."""
    user = people.by_user_id(given["user"].strip())
    if not user.is_active:
        raise AnnouncementRefused(_("This account is disabled."))
    return Expected(user, announcing.checked(**{name: given[name] for name in COLUMNS[1:]}))


def _announced(request: HttpRequest, expected: list[Expected], *, notify: bool) -> None:
    actor, language = administrator(request).user_id, get_language() or "en"
    announcing.announce(expected, notify=notify, language=language, actor=actor)
