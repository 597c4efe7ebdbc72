"""Settings > iOS > MDM > Identity certificates: whose device is shut out, or will be soon (specification, 9.4)."""

from collections.abc import Sequence
from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from devices.models import Identity
from devices.services import identity_expiry
from devices.services.identities import find
from devices.views.wording import identity_badge, status_badge
from epmm.portal.lists import Badge, Column, Link, Listing


def _device(identity: Identity) -> Link | str:
    device = identity.enrollment.device
    return Link(str(device), reverse("portal:devices-details", args=[device.uuid])) if device else ""


def _status(identity: Identity) -> Badge | None:
    device = identity.enrollment.device
    return status_badge(device) if device else None


FOUND_BY: Final = gettext_lazy("Serial number or user ID")
WHOSE: Final[Sequence[Column[Identity]]] = (
    Column(key="device", label=gettext_lazy("Device"), value=_device),
    Column(key="user", label=gettext_lazy("User"), value=lambda row: row.enrollment.user.display_name),
    Column(key="status", label=gettext_lazy("Status"), value=_status),
    Column(
        key="serial",
        label=gettext_lazy("Serial number"),
        value=lambda row: Truncator(row.serial_number).chars(17),
        told=lambda row: row.serial_number,
    ),
    Column(key="state", label=gettext_lazy("State"), value=identity_badge),
)
LISTING: Final = Listing[Identity](
    name="settings-ios-mdm-identities",
    title=gettext_lazy("MDM identity certificates"),
    columns=(
        *WHOSE,
        Column(key="expires", label=gettext_lazy("Expires"), value=lambda row: row.not_after, order="not_after"),
    ),
    sorted_by="expires",
    find=find,
    search_hint=FOUND_BY,
    empty=gettext_lazy("No certificate of a managed device has expired or expires soon."),
)  # fmt: skip


def with_whose(rows: QuerySet[Identity]) -> QuerySet[Identity]:
    heavy = ("der", "enrollment__unlock_token", "enrollment__bootstrap_token", "enrollment__device__details")
    return rows.select_related("enrollment__device__user", "enrollment__user").defer(*heavy)


@require_safe
def identities(request: HttpRequest) -> HttpResponseBase:
    view = LISTING.view(request, with_whose(identity_expiry.ending(timezone.now())))
    if request.GET.get("format") == "csv":
        return view.csv()
    back = Link(_("MDM"), reverse("portal:settings-ios-mdm"))
    return render(request, "portal/list.html", view.context() | {"back": back})
