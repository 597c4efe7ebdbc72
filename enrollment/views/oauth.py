"""The two endpoints of `apple-oauth2`: the first leads to the ordinary sign-in page, the second answers the device."""

from dataclasses import replace
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from enrollment import reasons
from enrollment.models import Step
from enrollment.protocol import oauth as protocol
from enrollment.protocol.oauth import AuthorizationRequest, OAuthError
from enrollment.services import oauth, trace
from enrollment.services.policy import Refused
from enrollment.services.sign_in import SignInExpired, State
from enrollment.views.sign_in import refused_page
from epmm.rate_limit import limited


@limited
@never_cache
@require_safe
def authorize(request: HttpRequest, sealed: str) -> HttpResponse:
    """No error goes back to the redirect URL: an HTTP error ends the enrollment, with a page that says why."""
    try:
        state = State.unseal(sealed)
    except SignInExpired:
        return refused_page(request, Refused(reasons.SIGN_IN_EXPIRED))
    try:
        asked = AuthorizationRequest.parse(request.META.get("QUERY_STRING", ""))
    except OAuthError as error:
        trace.step(
            trace.find(state.reference), Step.AUTHORIZE, result=trace.REFUSED, reason=reasons.NOT_OAUTH, why=error.code
        )
        return refused_page(request, Refused(reasons.NOT_OAUTH))
    state = replace(state, oauth_state=asked.state, code_challenge=asked.code_challenge)
    page = reverse("sign-in", args=[state.seal()])
    hint = f"?{urlencode({'user-identifier': asked.login_hint})}" if asked.login_hint else ""
    return HttpResponseRedirect(page + hint)


@limited
@never_cache
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """RFC 6749, 5.  Errors are 400, also of the client: a 401 means something else to a device."""
    try:
        body = request.read(protocol.LONGEST + 1).decode("ascii", "replace")
        return JsonResponse(oauth.answer(protocol.parse_token_request(body)).document())
    except OAuthError as error:
        return JsonResponse({"error": error.code}, status=400)
