from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from enrollment.protocol import discovery as protocol
from enrollment.protocol.discovery import DiscoveryRequest
from enrollment.services import discovery, policy
from epmm.client_address import client_address
from epmm.rate_limit import limited
from epmm.wire.errors import WireError
from epmm.wire.refusal import well_known_failed

NO_STORE = {"Cache-Control": "no-store"}  # the answer differs by person and model


@limited
@require_safe
def well_known(request: HttpRequest) -> HttpResponse:
    """Apple: "Discover Authentication Servers".  Public: no cookie, no login, no redirect."""
    try:
        asked = DiscoveryRequest.parse(request.META.get("QUERY_STRING", ""))
    except WireError:
        return HttpResponse(_("The address cannot be read."), status=400, content_type="text/plain", headers=NO_STORE)
    try:
        kind, attempt = discovery.choose(asked, address=client_address(request))
    except policy.Refused as refused:
        refusal = well_known_failed(description=refused.reason.code, message=refused.sentence)
        body, content_type = refusal.render(request.headers.get("Accept", ""))
        return HttpResponse(body, status=403, content_type=content_type, headers=NO_STORE)
    reference = f"/{attempt.reference}" if attempt else ""
    document = protocol.document(discovery.VERSION[kind], f"{settings.PUBLIC_URL}/enroll/{kind.value}{reference}")
    return HttpResponse(document, content_type=protocol.CONTENT_TYPE, headers=NO_STORE)
