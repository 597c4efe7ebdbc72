from typing import Final
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from enrollment.protocol.scep import transport
from enrollment.services import scep
from epmm.rate_limit import limited
from epmm.wire.errors import WireError

PKI_MESSAGE: Final = "application/x-pki-message"


@limited
@require_http_methods(["GET", "POST"])
def responder(request: HttpRequest) -> HttpResponse:
    """RFC 8894, 4: the operation stands in the query, for both methods."""
    match _parameter(request, "operation"):
        case "GetCACaps":
            return HttpResponse(scep.CAPABILITIES, content_type="text/plain")
        case "GetCACert":
            return HttpResponse(scep.ca_certificates(), content_type="application/x-x509-ca-ra-cert")
        case "PKIOperation":
            try:
                return HttpResponse(scep.answer(_message(request)), content_type=PKI_MESSAGE)
            except WireError:
                return HttpResponse(status=400)
        case _:
            return HttpResponse(status=400)


def _message(request: HttpRequest) -> bytes:
    if request.method == "GET":
        return transport.decode_message(_parameter(request, "message"))
    return request.read(transport.MAX_BYTES + 1)  # one more than read_message accepts


def _parameter(request: HttpRequest, name: str) -> str:
    """As it came: a form decoder would make a space of the `+` that macOS leaves unescaped."""
    for pair in str(request.META.get("QUERY_STRING", "")).split("&"):
        key, _, value = pair.partition("=")
        if unquote(key) == name:
            return value if name == "message" else unquote(value)
    return ""
