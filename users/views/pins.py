"""Registration PINs in the portal: for many as a file that is fetched once; one of a person, taken back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from users.errors import InvalidPerson
from users.models import RegistrationPin
from users.services import people_actions, pin_files, pins
from users.services.people_lists import everybody
from users.views import chosen, people_runs
from users.views.dialogs import administrator, refused
from users.views.users import LISTING, to


@require_POST
def many(request: HttpRequest) -> HttpResponse:
    """Whom it is for; then the page on which the file appears."""
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to, may_be_many=True)
    except InvalidPerson as error:
        return refused(request, str(error))
    if not whom.is_sent:
        return render(request, "portal/people/pin_file_ask.html", whom.context())
    if whom.is_many:
        return people_runs.begin(request, whom, people_actions.PIN, {})
    made = pin_files.ask(whom.people, administrator(request))
    return render(request, "portal/people/pin_file.html", _state(request, made.uuid))


@require_safe
def progress(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return render(request, "portal/people/pin_file_state.html", _state(request, uuid))


@never_cache
@require_POST
def fetch(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """By POST, for it can be done once: no address that is looked at beforehand uses it up."""
    content = pin_files.fetch(administrator(request), uuid)
    if content is None:
        messages.error(request, _("This file is gone: it is fetched once, within an hour. Issue new PINs."))
        return redirect("portal:users")
    headers = {"Content-Disposition": 'attachment; filename="pins.csv"'}
    return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)


@require_POST
def revoke(request: HttpRequest, number: int) -> HttpResponse:
    pin = get_object_or_404(RegistrationPin.objects.select_related("user"), pk=number)
    if pins.revoke(pin, actor=administrator(request).user_id):
        messages.success(request, _("The PIN is revoked. Nobody can enroll with it."))
    else:
        messages.error(request, _("This PIN serves no more: it was used, replaced or revoked."))
    return redirect("portal:users-edit", pin.user_id)


def _state(request: HttpRequest, uuid: UUID) -> dict[str, Any]:
    file = pin_files.of(administrator(request)).filter(uuid=uuid).first()
    return {"file": file, "total": len(file.people) if file else 0}
