"""Texts that people accept with a browser: at `/go`, and once more after a change."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from devices.models import Enrollment
from enrollment.models import PolicyText
from enrollment.protocol import languages
from enrollment.services import consent, discovery, trace
from enrollment.services.policy import Refused
from enrollment.views.wording import TEXTS
from epmm import markup
from epmm.client_address import client_address
from epmm.rate_limit import limited
from users.models import User
from users.self_permissions import person
from users.views.self_account import page

ASKED: Final = "texts_asked"


def reads(request: HttpRequest) -> list[str]:
    return languages.wanted(request.headers.get("Accept-Language", ""))


def text_page(request: HttpRequest, text: PolicyText, *, action: str, **hidden: str) -> HttpResponse:
    is_privacy = text.kind == PolicyText.Kind.PRIVACY
    context: dict[str, Any] = {
        "title": TEXTS[PolicyText.Kind(text.kind)],
        "is_privacy": is_privacy,
        "text_html": markup.html(text.text),
        "text_language": text.language,
        "version": text.version,
        "action": action,
        "hidden": {**hidden, "policy": str(text.pk)},
    }
    return page(request, "go_text", **context)


def is_due(request: HttpRequest, user: User) -> bool:
    """Whether something has changed that this person accepted; asked once after each sign-in."""
    if request.session.get(ASKED):
        return False
    if _outstanding(request, user):
        return True
    request.session[ASKED] = True
    return False


@limited
@require_http_methods(["GET", "HEAD", "POST"])
def changed(request: HttpRequest) -> HttpResponse:
    user = person(request)
    if "later" in request.POST:  # whose phone was stolen has no time to read
        request.session[ASKED] = True
        return redirect("self:home")
    texts = _outstanding(request, user)
    shown = next((text for text in texts if str(text.pk) == request.POST.get("policy")), None)
    if shown is not None:
        consent.accept_change(user, shown, address=trace.address_or_none(client_address(request)))
        return redirect("self:texts")
    if not texts:
        return redirect("self:home")
    return text_page(request, texts[0], action=reverse("self:texts"))


def _outstanding(request: HttpRequest, user: User) -> list[PolicyText]:
    try:
        kind = discovery.kind_of(user)
    except Refused:
        kind = Enrollment.Kind.ADDE
    return consent.outstanding(user, kind, reads(request))
