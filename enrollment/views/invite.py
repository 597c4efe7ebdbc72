"""Users > Actions > Send Invitation: what is written, how it looks to each person, and off it goes."""

from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from enrollment.invitation_forms import InvitationForm, languages
from enrollment.models import InvitationTemplate
from enrollment.services import invitation_texts, invitations
from enrollment.services.invitation_texts import HIDDEN, PLACES, TextRefused, Written
from epmm import mail, options, settings_store
from epmm.mail import MailRefused
from users.errors import InvalidPerson
from users.models import PeopleRun, User
from users.services.people_lists import everybody
from users.views import chosen, people_runs
from users.views.chosen import Chosen
from users.views.dialogs import administrator, refused
from users.views.users import LISTING, to

LOAD: Final = "load"  # another language, or with a PIN now: its text, unless somebody has written another
SHOWN: Final = 50
EXAMPLE: Final = "/i/…"
Kind = InvitationTemplate.Kind


@require_POST
def dialog(request: HttpRequest) -> HttpResponse:
    try:
        whom = chosen.of(request, LISTING, everybody(), narrow=to, may_be_many=True)
    except InvalidPerson as error:
        return refused(request, str(error))
    if not mail.is_set_up():
        return refused(request, _("No mail server is set up. Enter one under Settings > Outgoing mail."))
    if not whom.is_sent:
        return _asked(request, whom, InvitationForm(initial=_first(request)))
    form = InvitationForm(request.POST)
    if form.is_valid():
        try:
            if whom.is_many:
                return people_runs.answered(request, lambda: _ordered(request, whom, form))
            made = invitations.send(whom.people, form.draft, actor=administrator(request).user_id)
        except (TextRefused, MailRefused) as error:
            form.add_error("text", str(error))
        else:
            address = f"{reverse('portal:invitations')}?round={made.pk}"
            return HttpResponse(status=204, headers={"HX-Redirect": address})
    return _asked(request, whom, form, status=422)


@transaction.atomic
def _ordered(request: HttpRequest, whom: Chosen, form: InvitationForm) -> PeopleRun:
    """From the worker.  Raises TextRefused, MailRefused or NumberChanged."""
    made = invitations.prepare(form.draft, number=whom.number, actor=administrator(request).user_id)
    return people_runs.order(request, whom, invitations.INVITE, {"round": made.pk})


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """As one of the people gets it; nothing is sent, and no PIN is made."""
    person = _person(request)
    form, problem, filled = InvitationForm(request.POST), "", None
    language = str(request.POST.get("language", ""))
    try:
        written = invitation_texts.checked(form.written)
        with translation.override(language if language in dict(languages()) else get_language() or "en"):
            known = invitation_texts.values(person, _example(), pin=HIDDEN)
        filled = invitation_texts.fill(written, known)
    except TextRefused as error:
        problem = str(error)
    context = {"person": person, "filled": filled, "problem": problem, "language": language, "code": _example()}
    return render(request, "portal/invitations/preview.html", context)


def _example() -> str:
    return f"{settings.PUBLIC_URL}{EXAMPLE}"


def _person(request: HttpRequest) -> User:
    """Whoever is chosen below the text, of those who were ticked; else the administrator."""
    asked = str(request.POST.get("preview_of", ""))
    found = User.objects.filter(pk__in=chosen.keys([asked])).first()
    return found or administrator(request)


def _first(request: HttpRequest) -> dict[str, Any]:
    """What the dialog begins with, or goes on with after another language was chosen."""
    given = request.POST
    offered = dict(languages())
    language = given.get("language") or get_language() or "en"
    if language not in offered:
        language = next(iter(offered))
    has_pin = "has_pin" in given
    text = invitation_texts.template(Kind.INVITATION, language, has_pin=has_pin)
    if LOAD in given and not _is_ours(typed := Written(given.get("subject", ""), given.get("text", ""))):
        text = typed
    first: dict[str, Any] = {"language": language, "subject": text.subject, "text": text.text, "has_pin": has_pin}
    if LOAD in given:
        first |= {name: given.get(name) for name in ("remind_after_days", "reminders")}
    return first


def _is_ours(typed: Written) -> bool:
    """Whether it is a template as it stands: then choosing another loses nothing."""
    plain = Written(typed.subject.strip(), typed.text.replace("\r\n", "\n").strip())
    return any(
        invitation_texts.template(Kind.INVITATION, language, has_pin=has_pin) == plain
        for language, _name in languages()
        for has_pin in (False, True)
    )


def _asked(request: HttpRequest, whom: Chosen, form: InvitationForm, *, status: int = 200) -> HttpResponse:
    found = whom.everyone.filter(email="").order_by("user_id") if whom.is_many else None
    silent = [user for user in whom.people if not user.email] if found is None else list(found[: chosen.NAMES_SHOWN])
    silent_number = len(silent) if found is None else found.order_by().count()
    context = whom.context() | {
        "form": form,
        "previews": whom.people[:SHOWN],
        "preview_of": request.POST.get("preview_of", ""),
        "silent": [user.display_name for user in silent[: chosen.NAMES_SHOWN]],
        "more_silent": max(0, silent_number - chosen.NAMES_SHOWN),
        "places": [(f"{{{name}}}", label) for name, label in PLACES.items()],
        "asks_no_pin": settings_store.read(options.REQUIREMENT) == "password",
    }
    return render(request, "portal/invitations/dialog.html", context, status=status)
