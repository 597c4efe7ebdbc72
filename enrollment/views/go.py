"""Web registration, where EPMM's people look for it: `/go`."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from enrollment import reasons
from enrollment.go_forms import GoForm
from enrollment.services import web_registration
from enrollment.services.policy import Refused
from enrollment.services.sign_in import Entered, SignInExpired
from enrollment.services.web_registration import Ticket
from enrollment.views.devices_met import family_of, met
from enrollment.views.how_to import steps
from enrollment.views.self_provider import FOR, refused_page
from enrollment.views.self_texts import reads, text_page
from enrollment.views.sign_in import TRY_AGAIN
from epmm.client_address import client_address
from epmm.rate_limit import limited
from users import self_permissions
from users.services import self_provider, self_sign_in
from users.services.self_sign_in import Step
from users.views.self_account import page, ways


@limited
@sensitive_post_parameters("password", "pin")
@require_http_methods(["GET", "HEAD", "POST"])
def go(request: HttpRequest) -> HttpResponse:
    requirement = web_registration.requirement()
    try:
        if "ticket" in request.POST:
            return _accepted(request)
        user = self_permissions.person_of(request) or self_sign_in.proved(request)
        if user is not None:
            ticket = web_registration.allowed(user, family=family_of(request), address=client_address(request))
            return _next(request, ticket)
        if requirement in web_registration.ASKED_FOR:
            return _credentials(request, requirement)
        return _elsewhere(request)
    except SignInExpired:
        return refused_page(request, Refused(reasons.SIGN_IN_EXPIRED))
    except Refused as refused:
        return refused_page(request, refused)


def _elsewhere(request: HttpRequest) -> HttpResponse:
    """At the provider; without one for this, what to do on the device is all there is to say."""
    choices = ways(request, self_provider.for_registration(), **{FOR: Step.REGISTERS.value})
    return page(request, "go", ways=choices) if choices else steps(request, met(request), None)


def _credentials(request: HttpRequest, requirement: str) -> HttpResponse:
    form, status, code = GoForm(request.POST or None, requirement=requirement), 200, ""
    if form.is_valid():
        given = form.cleaned_data
        entered = Entered(name=given["user_id"], password=given.get("password", ""), pin=given.get("pin", ""))
        try:
            ticket = web_registration.begin(entered, family=family_of(request), address=client_address(request))
            return _next(request, ticket)
        except Refused as refused:
            if refused.reason not in TRY_AGAIN:
                raise
            status, code = TRY_AGAIN[refused.reason], refused.reason.code
            form.add_error(None, refused.sentence)
    return page(request, "go", form=form, code=code, status=status)


def _accepted(request: HttpRequest) -> HttpResponse:
    ticket = Ticket.unseal(request.POST["ticket"])
    ticket.person()
    shown, address = request.POST.get("policy", ""), client_address(request)
    return _next(request, web_registration.accept(ticket, shown, address=address, languages=reads(request)))


def _next(request: HttpRequest, ticket: Ticket) -> HttpResponse:
    """The next text to accept; after the last one, what to do on the device."""
    due = web_registration.next_text(ticket, reads(request))
    if due is None:
        return steps(request, met(request), ticket.person(), is_ready=True)
    return text_page(request, due, action=reverse("self:go"), ticket=ticket.seal())
