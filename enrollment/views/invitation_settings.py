"""Settings > Users & Devices > Invitations: the texts that Send Invitation begins with, by language."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from enrollment.invitation_forms import TemplateForm
from enrollment.models import InvitationTemplate
from enrollment.services import invitation_templates, invitation_texts
from enrollment.services.invitation_texts import PLACES, TextRefused, Written
from enrollment.services.local_texts import LANGUAGES
from epmm.portal import settings_tree
from users.views.dialogs import GO, administrator, asked_row, done
from users.views.settings import may_change

FIELDS: Final = ("kind", "language", "subject", "text")


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    rows = InvitationTemplate.objects.order_by("kind", "language")
    context = settings_tree.context(settings_tree.INVITATIONS) | {"can_change": may_change(request)}
    context["templates"] = [(LANGUAGES.get(row.language, row.language), row) for row in rows]
    return render(request, "portal/settings/invitations.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest) -> HttpResponse:
    row = asked_row(request, InvitationTemplate)
    form = TemplateForm(request.POST if GO in request.POST else None, initial=_initial(row))
    if form.is_valid():
        given = form.cleaned_data
        try:
            invitation_templates.save(
                given["kind"],
                given["language"],
                Written(given["subject"], given["text"]),
                actor=administrator(request).user_id,
                row=row,
            )
        except TextRefused as error:
            form.add_error("text", str(error))
        else:
            return done(request, _("Saved."))
    context = {"form": form, "row": row, "places": [(f"{{{name}}}", label) for name, label in PLACES.items()]}
    return render(request, "portal/settings/invitation_edit.html", context, status=422 if form.errors else 200)


@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    row = asked_row(request, InvitationTemplate)
    if row is not None:
        invitation_templates.delete(row, actor=administrator(request).user_id)
        messages.success(request, _("The text is deleted; the built-in one is used again."))
    return redirect("portal:settings-invitations")


def _initial(row: InvitationTemplate | None) -> dict[str, str]:
    if row is not None:
        return {name: getattr(row, name) for name in FIELDS}
    kind = InvitationTemplate.Kind.INVITATION
    begin = invitation_texts.built_in(kind, "en", has_pin=False)
    return {"kind": kind, "language": "en", "subject": begin.subject, "text": begin.text}
