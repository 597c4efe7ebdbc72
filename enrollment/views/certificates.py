"""Services > Certificates: what this server signs with, and what it has issued (portal specification, section 11)."""

from typing import Any, Final

from cryptography import x509
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from devices.models import Identity
from devices.services.identities import find
from devices.views.identities import FOUND_BY, WHOSE, with_whose
from devices.views.wording import validity
from enrollment.models import Authority
from enrollment.services import authorities
from enrollment.views.wording import CERTIFICATES
from epmm.portal.lists import COUNT_CAP, Column, Listing, counted

LISTING: Final = Listing[Identity](
    name="services-certificates",
    title=_("Certificates"),
    columns=(
        *WHOSE,
        Column(key="issued", label=_("Issued"), value=lambda row: row.issued_at, order="id"),
        Column(key="expires", label=_("Expires"), value=lambda row: row.not_after),
    ),
    sorted_by="-issued",
    find=find,
    search_hint=FOUND_BY,
    empty=_("No certificate has been issued yet: each device gets one when it enrolls."),
)


@require_safe
def certificates(request: HttpRequest) -> HttpResponseBase:
    view = LISTING.view(request, with_whose(Identity.objects.all()))
    if request.GET.get("format") == "csv":
        return view.csv()
    context = view.context() | {"authorities": [_authority(*each) for each in authorities.known()]}
    return render(request, "portal/services/certificates.html", context)


def _authority(purpose: Authority.Purpose, certificate: x509.Certificate) -> dict[str, Any]:
    is_ca = purpose == Authority.Purpose.DEVICE_CA
    return {
        "name": CERTIFICATES[purpose],
        "subject": certificate.subject.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "issued": counted(Identity.objects.order_by()[: COUNT_CAP + 1].count()) if is_ca else None,
        "expires": certificate.not_valid_after_utc,
        "badge": validity(certificate.not_valid_after_utc - timezone.now()),
    }
