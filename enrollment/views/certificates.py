"""Services > Certificates: what this server signs with, and what it has issued (portal specification, section 11)."""

from typing import Any, Final

from cryptography import x509
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from devices.models import Enrollment, Identity
from devices.views.identities import WHOSE, with_whose
from devices.views.wording import validity
from enrollment.models import Authority
from enrollment.services import authorities
from enrollment.views.wording import CERTIFICATES
from epmm.portal.filters import Filter, Filters
from epmm.portal.lists import COUNT_CAP, Column, Listing, counted

MOST_ENROLLMENTS: Final = 1_000


def _of_user(text: str) -> Q:
    """Their enrollments are looked up first: from there an index leads to the certificates."""
    theirs = Enrollment.objects.filter(user__user_id=text).order_by("-pk").values_list("pk", flat=True)
    return Q(enrollment__in=list(theirs[:MOST_ENROLLMENTS]))


FILTERS: Final = (
    Filter(key="serial", label=_("Serial number"), lookup="serial_number", is_lower=True),
    Filter(key="user", label=_("User ID"), lookup="enrollment__user__user_id", means=_of_user),
)
LISTING: Final = Listing[Identity](
    name="services-certificates",
    title=_("Certificates"),
    columns=(
        *WHOSE,
        Column(key="issued", label=_("Issued"), value=lambda row: row.issued_at, order="id"),
        Column(key="expires", label=_("Expires"), value=lambda row: row.not_after),
    ),
    sorted_by="-issued",
    empty=_("No certificate has been issued yet: each device gets one when it enrolls."),
)


@require_safe
def certificates(request: HttpRequest) -> HttpResponseBase:
    filters = Filters(request, FILTERS)
    view = LISTING.view(request, filters.apply(with_whose(Identity.objects.all())))
    if request.GET.get("format") == "csv":
        return view.csv()
    context = view.context() | filters.context() | {"authorities": [_authority(*each) for each in authorities.known()]}
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
