"""What a call says about devices: which of them, in which order."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Case, QuerySet, When
from django.utils.translation import gettext as _

from devices.models import Device
from devices.protocol.inventory import hardware_address
from devices.services import hidden_fields, labels, listing, search
from devices.services.record_pages import BY_ID
from epmm import masking
from epmm.api import paging
from epmm.api.errors import ApiError, bad_parameter, tells
from epmm.api.parameters import Parameters
from epmm.numbers import grouped
from epmm.portal.keyset import Order
from users.models import User

NO_LABEL: Final = "-1"
MOST_NAMED: Final = 5_000

tells(search.SearchRefused, 400, "query.invalid")
tells(labels.LabelRefused, 400, "label.refused")
tells(labels.UnknownLabel, 404, "label.not.found")


@dataclass(frozen=True, slots=True)
class Asked:
    devices: QuerySet[Device]  # in no order
    name: Hashable  # who asks for what


def chosen(parameters: Parameters, person: User) -> Asked:
    """By query, label or both.  Retired devices are among them: clients say when they mean others.

    Raises ApiError, SearchRefused, UnknownLabel.
    """
    if "query" not in parameters and "labelId" not in parameters:
        raise bad_parameter("query", _("Either query or labelId is needed; an empty query means all devices."))
    expression, label = parameters.text("query").strip(), _label(parameters)
    selection = listing.Selection(expression=expression, label=label, with_retired=True)
    return Asked(selection.devices(), (person.pk, expression, label, masking.hidden()))


def _label(parameters: Parameters) -> int | None:
    if parameters.text("labelId").strip() in ("", NO_LABEL):
        return None
    key = parameters.number("labelId")
    labels.numbered([key])
    return key


def order(parameters: Parameters) -> Order:
    """By the number of the record, if nothing else is said: nothing that changes moves a device to another page."""
    is_descending = paging.is_descending(parameters)
    name = parameters.text("sortField").strip()
    if not name:
        return Order(BY_ID.column, is_descending)
    key = search.registry().resolve(name)
    if key not in search.SORTS or hidden_fields.is_hidden(key):
        fields = ", ".join(search.SORTS)
        raise bad_parameter("sortField", _("Devices are sorted by one of {fields}.").format(fields=fields))
    return Order(search.SORTS[key], is_descending)


def uuids(parameters: Parameters, most: int = MOST_NAMED) -> list[str]:
    """As they were written, each once.  Raises ApiError."""
    given = parameters.several("deviceUuids")
    if not given:
        raise bad_parameter("deviceUuids", _("deviceUuids names at least one device."))
    if len(given) > most:
        raise bad_parameter("deviceUuids", _("deviceUuids names at most {n} devices.").format(n=grouped(most)))
    return given


def known(uuids: Iterable[str]) -> dict[str, Device]:
    """Those that are there, by their UUIDs in small letters; with their users."""
    return {str(each.uuid): each for each in listing.by_uuid(uuids).select_related("user").defer("details")}


def with_macs(addresses: Iterable[str]) -> QuerySet[Device]:
    """By their hardware addresses, however written; what is none names nothing.  With their users."""
    digits = [known for address in addresses if (known := hardware_address(address))]
    return Device.objects.filter(wifi_mac__in=digits).select_related("user").defer("details")


def devices_with_macs(addresses: Sequence[str]) -> list[Device]:
    """One for each, by one statement, as no index leads to them.  Raises ApiError.

    Whoever enrolled again is there twice: the one that stands goes first, then the latest.
    """
    found: dict[str, Device] = {}
    for each in with_macs(addresses).order_by(Case(When(status=Device.Status.RETIRED, then=1), default=0), "-pk"):
        found.setdefault(each.wifi_mac, each)
    try:
        return [found[hardware_address(address) or ""] for address in addresses]
    except KeyError:
        raise _unknown() from None


def device_with_mac(address: str) -> Device:
    """Raises ApiError."""
    (found,) = devices_with_macs([address])
    return found


def devices(uuids: Sequence[str]) -> list[Device]:
    """Each of them, by one statement.  Raises ApiError."""
    rows = listing.by_uuid([uuid for uuid in uuids if _is_uuid(uuid)]).select_related("user").defer("details")
    found = {str(row.uuid): row for row in rows}
    try:
        return [found[uuid.lower()] for uuid in uuids]
    except KeyError:
        raise _unknown() from None


def device(uuid: str) -> Device:
    """With its user.  Raises ApiError."""
    found = listing.by_uuid([uuid]).select_related("user").defer("details").first() if _is_uuid(uuid) else None
    if found is None:
        raise _unknown()
    return found


def _unknown() -> ApiError:
    return ApiError(404, "device.not.found", _("There is no such device."))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
