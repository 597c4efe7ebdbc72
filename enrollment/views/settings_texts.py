"""Settings > Users & Devices > Privacy and terms: what people read and accept before a device enrolls."""

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from enrollment.models import LocalText, PolicyText
from enrollment.models.consent import LONGEST_NAME
from enrollment.services import consent, local_texts
from enrollment.services.local_texts import CHOICES, LANGUAGES, TextRefused, Written
from epmm import markup, settings_store
from epmm.client_address import client_address
from epmm.markup import MarkupRefused
from epmm.portal import settings_tree
from epmm.portal.settings_form import SettingsForm
from users.views.dialogs import GO, administrator, asked_row, done
from users.views.settings import form_of, may_change, saved

LONGEST: Final = local_texts.LONGEST
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
        help_text=gettext_lazy("For all languages without a text of their own. A changed text is a new version."),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        text = given.get("text") or ""
        try:
            given["text"] = markup.clean(text)
        except MarkupRefused as error:
            self.add_error("text", str(error))
            return given
        if given.get("mode") == "own" and consent.is_word(given["text"]):
            self.add_error("text", _("Write the text that people are to read."))
        return given

    @property
    def value(self) -> str:
        mode: str = self.cleaned_data["mode"]
        return self.cleaned_data["text"] if mode == "own" else mode


class LocalForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name of the terms"),
        required=False,
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Empty: for everybody. Terms with a name are for whom an enrollment rule names them."),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=CHOICES)
    country = forms.CharField(
        label=gettext_lazy("Country/Region"),
        required=False,
        max_length=3,
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "narrow"}),
        help_text=gettext_lazy("Two letters, such as AT. Empty: for all where the language is spoken."),
    )
    content = forms.CharField(
        label=gettext_lazy("Content"), max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 12})
    )
    notice_email = forms.CharField(
        label=gettext_lazy("Notification Email ID"),
        required=False,
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Who is told by mail of each acceptance of this text."),
    )

    def __init__(self, kind: PolicyText.Kind, data: Any, *, row: LocalText | None) -> None:
        super().__init__(data, initial={name: getattr(row, name) for name in self.base_fields} if row else {})
        if kind != PolicyText.Kind.TERMS:
            del self.fields["name"]


@require_http_methods(["GET", "HEAD", "POST"])
def texts(request: HttpRequest) -> HttpResponse:
    """Two forms on one page; `kind` says which of them was sent."""
    forms_shown = {kind: _form(kind) for kind, _setting in consent.CONFIGURED}
    settings_form = form_of(request, settings_tree.TEXTS)
    if "kind" not in request.POST and saved(request, settings_form):
        return redirect("portal:settings-texts")
    if request.method == "POST":
        kind, setting = next((each for each in consent.CONFIGURED if each[0] == request.POST.get("kind")), (None, None))
        if kind is not None and setting is not None:
            form = forms_shown[kind] = TextForm(request.POST, auto_id=f"{kind}_%s")
            if form.is_valid():
                who, address = str(request.user), client_address(request)
                settings_store.change(setting.name, form.value, actor=who, address=address)
                messages.success(request, _("Saved. It holds for enrollments from now on."))
                return redirect("portal:settings-texts")
    context = settings_tree.context(settings_tree.TEXTS) | {"can_change": may_change(request)}
    if settings_form.is_bound and "kind" in request.POST:
        settings_form = SettingsForm(settings_tree.TEXTS, is_read_only=not may_change(request))
    written = list(LocalText.objects.order_by("name", "language", "country"))
    shown = [
        (kind, TITLES[kind], form, [(LANGUAGES.get(each.language), each) for each in written if each.kind == kind],
         consent.versions(kind)[:VERSIONS])
        for kind, form in forms_shown.items()
    ]  # fmt: skip
    return render(request, "portal/settings/texts.html", context | {"texts": shown, "form": settings_form})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest) -> HttpResponse:
    """A dialog: a new text, or the one that `number` names."""
    row = asked_row(request, LocalText)
    kind = PolicyText.Kind(row.kind) if row else _kind(request)
    form = LocalForm(kind, request.POST if GO in request.POST else None, row=row)
    if form.is_valid():
        try:
            local_texts.save(Written(kind=kind, **form.cleaned_data), actor=administrator(request).user_id, row=row)
        except TextRefused as refused:
            form.add_error(None, str(refused))
        else:
            return done(request, _("Saved. It holds for enrollments from now on."))
    context = {"form": form, "row": row, "kind": kind, "title": TITLES[kind]}
    return render(request, "portal/settings/text_edit.html", context, status=422 if form.errors else 200)


@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    row = asked_row(request, LocalText)
    if row is not None:
        try:
            local_texts.delete(row, actor=administrator(request).user_id)
        except TextRefused as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, _("The text is deleted. What people have accepted of it stays below."))
    return redirect("portal:settings-texts")


def _kind(request: HttpRequest) -> PolicyText.Kind:
    asked = request.POST.get("kind") or request.GET.get("kind")
    return PolicyText.Kind.PRIVACY if asked == PolicyText.Kind.PRIVACY else PolicyText.Kind.TERMS


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """As the device's page sets it, without saving anything."""
    form, kind = TextForm(request.POST), _kind(request)
    pages = consent.preview(kind, form.value) if form.is_valid() else []
    shown = {"title": TITLES[kind], "pages": pages, "form": form}
    return render(request, "portal/settings/text_preview.html", shown, status=200 if form.is_valid() else 422)


def _form(kind: PolicyText.Kind) -> TextForm:
    value = settings_store.read(dict(consent.CONFIGURED)[kind])
    mode = consent.mode_of(value)
    return TextForm(initial={"mode": mode, "text": value if mode == "own" else ""}, auto_id=f"{kind}_%s")
