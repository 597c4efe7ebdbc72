"""Settings > Users & Devices > Privacy and terms: what people read and accept before a device enrolls."""

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from enrollment.models import PolicyText
from enrollment.services import consent
from epmm import settings_store
from epmm.client_address import client_address
from epmm.portal import settings_tree
from users import permissions
from users.models import AdminRole
from users.views.settings import may_change

LONGEST: Final = 20_000
VERSIONS: Final = 20
MODES: Final = (
    ("off", gettext_lazy("Do not show it")),
    ("on", gettext_lazy("Built-in text, in the language of the device")),
    ("own", gettext_lazy("A text of your own")),
)
TITLES: Final = {
    PolicyText.Kind.PRIVACY: gettext_lazy("Your Privacy Matters"),
    PolicyText.Kind.TERMS: gettext_lazy("End User Terms of Service"),
}


class TextForm(forms.Form):
    mode = forms.ChoiceField(label=gettext_lazy("What is shown"), choices=MODES)
    text = forms.CharField(
        label=gettext_lazy("Text"),
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=gettext_lazy("An empty line begins a new paragraph. A changed text is a new version."),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        given["text"] = (given.get("text") or "").replace("\r\n", "\n").strip()
        if given.get("mode") == "own" and consent.is_word(given["text"]):
            self.add_error("text", _("Write the text that people are to read."))
        return given

    @property
    def value(self) -> str:
        mode: str = self.cleaned_data["mode"]
        return self.cleaned_data["text"] if mode == "own" else mode


@require_http_methods(["GET", "HEAD", "POST"])
def texts(request: HttpRequest) -> HttpResponse:
    """Two forms on one page; `kind` says which of them was sent."""
    forms_shown = {kind: _form(kind) for kind, _setting in consent.CONFIGURED}
    if request.method == "POST":
        permissions.require(request, AdminRole.SETTINGS_MANAGE)
        kind, setting = next((each for each in consent.CONFIGURED if each[0] == request.POST.get("kind")), (None, None))
        if kind is not None and setting is not None:
            form = forms_shown[kind] = TextForm(request.POST, auto_id=f"{kind}_%s")
            if form.is_valid():
                who, address = str(request.user), client_address(request)
                settings_store.change(setting.name, form.value, actor=who, address=address)
                messages.success(request, _("Saved. It holds for enrollments from now on."))
                return redirect("portal:settings-texts")
    context = settings_tree.context(settings_tree.TEXTS) | {"can_change": may_change(request)}
    shown = [(kind, TITLES[kind], form, consent.versions(kind)[:VERSIONS]) for kind, form in forms_shown.items()]
    return render(request, "portal/settings/texts.html", context | {"texts": shown})


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """As the device's page sets it, without saving anything."""
    form = TextForm(request.POST)
    kind = PolicyText.Kind.TERMS if request.POST.get("kind") == PolicyText.Kind.TERMS else PolicyText.Kind.PRIVACY
    pages = [(_label, text) for _label, text in consent.preview(kind, form.value)] if form.is_valid() else []
    shown = {"title": TITLES[kind], "pages": pages, "form": form}
    return render(request, "portal/settings/text_preview.html", shown, status=200 if form.is_valid() else 422)


def _form(kind: PolicyText.Kind) -> TextForm:
    value = settings_store.read(dict(consent.CONFIGURED)[kind])
    mode = consent.mode_of(value)
    return TextForm(initial={"mode": mode, "text": value if mode == "own" else ""}, auto_id=f"{kind}_%s")
