from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from devices.protocol.declarations.legacy import CONTENT_TYPE
from devices.services import declared_profiles
from epmm.rate_limit import limited

HEADERS: Final = {"Cache-Control": "no-store"}


@require_safe
def download(request: HttpRequest, channel: str, sha256: str, mac: str) -> HttpResponseBase:
    """Never a 401, to a device least of all.

    Only who guesses meets the limit: a fleet may call from one network, and a device that is refused stays without.
    """
    if not declared_profiles.is_ours(int(channel), sha256, mac):
        return _guess(request)
    try:
        profile = declared_profiles.fetch(int(channel), sha256)
    except declared_profiles.ProfileGone:
        return HttpResponse(status=404, headers=HEADERS)
    return HttpResponse(profile, content_type=CONTENT_TYPE, headers=HEADERS)


@limited
def _guess(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=404, headers=HEADERS)
