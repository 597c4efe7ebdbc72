from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from devices.protocol.declarations.legacy import CONTENT_TYPE
from devices.services import declared_profiles
from epmm.rate_limit import limited


@limited
@require_safe
def download(request: HttpRequest, channel: str, sha256: str, mac: str) -> HttpResponse:  # noqa: ARG001 - Django's
    """Never a 401, to a device least of all."""
    headers = {"Cache-Control": "no-store"}
    try:
        profile = declared_profiles.fetch(int(channel), sha256, mac)
    except declared_profiles.ProfileGone:
        return HttpResponse(status=404, headers=headers)
    return HttpResponse(profile, content_type=CONTENT_TYPE, headers=headers)
