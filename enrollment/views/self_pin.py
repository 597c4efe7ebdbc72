from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from enrollment.services import own_address, pin_requests
from epmm import options, settings_store
from epmm.client_address import client_address
from epmm.rate_limit import limited
from users import self_permissions
from users.errors import TooManyAttempts
from users.views.self_account import page


@limited
@require_http_methods(["GET", "HEAD", "POST"])
def pin(request: HttpRequest) -> HttpResponse:
    """Asks, then shows the PIN: once, and never again."""
    user, roles = self_permissions.person(request), self_permissions.roles_of(request)
    offer = pin_requests.offered(user, roles, timezone.now())
    if offer is None:
        return page(request, "refused", sentence=_("Nobody needs a PIN to enroll here."), status=403)
    hours = settings_store.read(options.PIN_EXPIRY_HOURS)
    if request.method != "POST":
        return page(request, "pin", offer=offer, hours=hours)
    try:
        digits = pin_requests.issue(user, roles, address=client_address(request))
    except TooManyAttempts as refusal:
        return page(request, "refused", sentence=str(refusal), status=429)
    except pin_requests.NotOffered:
        return page(request, "pin", offer=offer, hours=hours, status=403)
    return page(request, "pin_issued", digits=digits, hours=hours, address=own_address.of(user))
