"""Settings > General > Outgoing mail: the server that takes what this one sends, and a letter to try it with."""

from typing import Final

from django import forms
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from epmm import audit, mail, mail_options, settings_store
from epmm.mail import Letter, MailRefused
from epmm.mail_transport import Outcome, Verdict, try_out
from epmm.models import AuditEntry, Mail
from epmm.portal import settings_tree
from epmm.portal.settings_form import SettingsForm
from epmm.rate_limit import limited
from users.views.dialogs import GO, administrator
from users.views.settings import form_of, may_change, saved

PASSWORD: Final = mail_options.PASSWORD.name
# A stored password is for the server it was entered for, on the way that it was entered for.
WHERE_IT_GOES: Final = frozenset({mail_options.HOST.name, mail_options.PORT.name, mail_options.SECURITY.name})


class TestForm(forms.Form):
    recipient = forms.CharField(
        label=gettext_lazy("Recipient"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


@sensitive_post_parameters(PASSWORD)
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    form = form_of(request, settings_tree.MAIL)
    if form.is_bound and form.is_valid():
        _keep_password_at_home(form)
    if saved(request, form):
        return redirect(settings_tree.MAIL.address)
    counts = dict(Mail.objects.order_by().values_list("state").annotate(Count("pk")))
    context = settings_tree.context(settings_tree.MAIL) | {
        "form": form,
        "can_change": may_change(request),
        "is_set_up": mail.is_set_up(),
        "counts": [(label, counts.get(state, 0)) for state, label in Mail.State.choices],
        "last": Mail.objects.waiting().exclude(answer="").order_by("-next_at").first(),
    }
    return render(request, "portal/settings/mail.html", context, status=422 if form.errors else 200)


def _keep_password_at_home(form: SettingsForm) -> None:
    """Who may change settings could else have it sent to a server of their own."""
    is_stored = bool(settings_store.read(mail_options.PASSWORD))
    if is_stored and WHERE_IT_GOES & set(form.changed_data) and PASSWORD not in form.changed_data:
        form.add_error(PASSWORD, _("Enter the password again: the stored one is not handed to another server."))


@limited
@require_POST
def test(request: HttpRequest) -> HttpResponse:
    """A dialog that asks for whom; then what the server said, word for word."""
    who = administrator(request)
    form = TestForm(request.POST if GO in request.POST else None, initial={"recipient": who.email})
    verdict = None
    if form.is_valid():
        try:
            verdict = _tried(form.cleaned_data["recipient"], actor=who.user_id)
        except MailRefused as refused:
            form.add_error("recipient", str(refused))
    context = {"form": form, "verdict": verdict, "is_sent": verdict is not None and verdict.outcome is Outcome.SENT}
    return render(request, "portal/settings/mail_test.html", context, status=422 if form.errors else 200)


def _tried(recipient: str, *, actor: str) -> Verdict:
    text = _("The mail server takes what EPMM sends. Nothing more was to be said.")
    verdict = try_out(Letter(recipient=recipient, subject=_("Test mail of EPMM"), text=text))
    is_sent = verdict.outcome is Outcome.SENT
    audit.record(
        "mail.tested",
        actor=actor,
        subject_type="mail",
        subject=recipient,
        status=AuditEntry.Status.SUCCESS if is_sent else AuditEntry.Status.FAILED,
        details={"answer": verdict.words} if verdict.words else None,
    )
    return verdict
