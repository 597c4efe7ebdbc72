"""The pages of the web sign-in.

No CSRF token: nothing here rests on a cookie.  Each form carries its own signed proof, so a forged form has none.
"""

from dataclasses import replace
from typing import Any, Final

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from enrollment import reasons
from enrollment.models import PolicyText, Step
from enrollment.protocol import languages
from enrollment.protocol.challenge import CALLBACK_SCHEME
from enrollment.protocol.discovery import typed_identifier
from enrollment.services import authorities, ownership, sign_in, trace
from enrollment.services.policy import Refused
from enrollment.services.sign_in import Entered, SignInExpired, State, Ticket
from enrollment.views.wording import TEXTS
from epmm import markup, options, settings_store
from epmm.client_address import client_address
from epmm.rate_limit import limited
from users.services.oidc import providers

LONGEST_FIELD: Final = 1024
# What is said above the form, with the status of that page.
TRY_AGAIN: Final = {
    reasons.WRONG_CREDENTIALS: 200,
    reasons.PIN_EXPIRED: 200,
    reasons.TOO_MANY_ATTEMPTS: 429,
    reasons.DIRECTORY_DOWN: 503,
}


@limited
@never_cache
@csp_update({"form-action": [f"{CALLBACK_SCHEME}:"]})  # type: ignore[arg-type] # typed for views without arguments
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, sealed: str) -> HttpResponse:
    try:
        state = State.unseal(sealed)
        if request.method == "POST" and "ticket" in request.POST:
            return _accepted(request, state)
        if request.method == "POST" and not _is_elsewhere():
            return _credentials(request, state)
        return _first(request, state)
    except SignInExpired:
        return refused_page(request, Refused(reasons.SIGN_IN_EXPIRED))
    except Refused as refused:
        return refused_page(request, refused)


def _first(request: HttpRequest, state: State) -> HttpResponse:
    """The device appends what was typed to the announced address."""
    typed = _printable(typed_identifier(request.META.get("QUERY_STRING", "")))[:320]
    attempt = trace.find(state.reference)
    if typed:
        state = replace(state, identifier=typed)
        if attempt is not None and not attempt.identifier:
            attempt.identifier, attempt.domain = typed, typed.rpartition("@")[2].lower()[:253]
            attempt.save(update_fields=["identifier", "domain"])
    trace.step(attempt, Step.SIGN_IN_PAGE)
    return to_provider(request, state) if _is_elsewhere() else _form(request, state)


def _is_elsewhere() -> bool:
    return settings_store.read(options.REQUIREMENT) == "identity_provider"


def to_provider(request: HttpRequest, state: State) -> HttpResponse:
    """On to where people sign in; a choice where there are several."""
    found = list(providers.for_enrollment())
    if not found:
        trace.step(trace.find(state.reference), Step.CREDENTIALS, result=trace.REFUSED, reason=reasons.NO_PROVIDER)
        raise Refused(reasons.NO_PROVIDER)
    sealed = state.seal()
    if len(found) == 1:
        return HttpResponseRedirect(reverse("sign-in-at-provider", args=[found[0].pk, sealed]))
    choices = [(provider.name, reverse("sign-in-at-provider", args=[provider.pk, sealed])) for provider in found]
    return _render(request, "providers", state, choices=choices)


def _credentials(request: HttpRequest, state: State) -> HttpResponse:
    entered = Entered(name=_field(request, "user_id"), password=_field(request, "password"), pin=_field(request, "pin"))
    try:
        ticket = sign_in.verify(state, entered, address=client_address(request))
    except Refused as refused:
        if refused.reason not in TRY_AGAIN:
            raise
        return _form(request, state, name=entered.name, refused=refused, status=TRY_AGAIN[refused.reason])
    return _next(request, state, ticket)


def _accepted(request: HttpRequest, state: State) -> HttpResponse:
    ticket = Ticket.unseal(_field(request, "ticket"), state=state)
    if owner := _field(request, "owner"):
        ownership.choose(state, ticket, owner)
    shown = _field(request, "policy")
    if shown.isdecimal():
        address = trace.address_or_none(client_address(request))
        ticket = sign_in.accept(state, ticket, int(shown), address=address, languages=_languages(request, state))
    return _next(request, state, ticket)


def _next(request: HttpRequest, state: State, ticket: Ticket) -> HttpResponse:
    """What is still to be asked; after the last of it, back to the device with its token."""
    return _asking(request, state, ticket) or HttpResponse(
        status=308, headers={"Location": sign_in.finish(state, ticket)}
    )


def _asking(request: HttpRequest, state: State, ticket: Ticket) -> HttpResponse | None:
    """Whose device it is, then each text that is to be accepted."""
    if owners := ownership.choices(state, ticket):
        return _render(request, "owner", state, owners=owners, hidden={"ticket": ticket.seal()})
    due = sign_in.next_policy(state, ticket, _languages(request, state))
    return None if due is None else _policy_page(request, state, ticket, due)


def _languages(request: HttpRequest, state: State) -> list[str]:
    """The device's own setting, then what its browser asks for."""
    return languages.wanted(state.language, request.headers.get("Accept-Language", ""))


def next_page(request: HttpRequest, state: State, ticket: Ticket) -> HttpResponse:
    """After a provider: its own page may let nothing lead from there to the device, so a page of ours comes first."""
    if asking := _asking(request, state, ticket):
        return asking
    hidden = {"ticket": ticket.seal()}
    return _render(request, "signed_in", state, name=sign_in.name_of(ticket), hidden=hidden, button=_button(state))


def _button(state: State) -> str:
    return _("Register") if state.family == "Mac" else _("Continue")


def _printable(text: str) -> str:
    """As discovery reads it: no database column holds a NUL."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _field(request: HttpRequest, name: str) -> str:
    """Longer than anything that could be right is not kept; a password stays as typed."""
    value = str(request.POST.get(name, ""))
    return value if len(value) <= LONGEST_FIELD * 4 and "\0" not in value else ""


def _form(
    request: HttpRequest, state: State, *, name: str = "", refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    return _render(
        request,
        "sign_in",
        state,
        status=status,
        identifier=name or state.identifier,
        requirement=settings_store.read(options.REQUIREMENT),
        pin_length=settings_store.read(options.PIN_LENGTH),
        button=_button(state),
        error=refused.sentence if refused else "",
        code=refused.reason.code if refused else "",
        hidden={},
    )


def _policy_page(request: HttpRequest, state: State, ticket: Ticket, text: PolicyText) -> HttpResponse:
    return _render(
        request,
        "policy",
        state,
        title=TEXTS[PolicyText.Kind(text.kind)],
        text_html=markup.html(text.text),
        text_language=text.language,
        button=_("Accept"),
        version=text.version,
        policy=text.kind,
        hidden={"ticket": ticket.seal(), "policy": str(text.pk)},
    )


def _render(request: HttpRequest, template: str, state: State, *, status: int = 200, **context: Any) -> HttpResponse:
    context |= {
        "organization": authorities.organization(),
        "action": f"/enroll/sign-in/{state.seal()}",
        "kind": context.pop("policy", state.kind),
    }
    return render(request, f"enrollment/{template}.html", context, status=status)


def refused_page(request: HttpRequest, refused: Refused) -> HttpResponse:
    context = {
        "organization": authorities.organization(),
        "sentence": refused.sentence,
        "code": refused.reason.code,
        "advice": "",
    }
    return render(request, "enrollment/refused.html", context, status=403)
