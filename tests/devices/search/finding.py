"""A page of what an expression finds, as lists and the API read it."""

from typing import Final

from devices.models import Device
from devices.services import record_pages, search
from epmm.portal.keyset import Order, Page

BY_CONTACT: Final = "-common.last_connected_at"


def find(
    expression: str, *, sort: str = BY_CONTACT, size: int = 50, after: str = "", exclude_retired: bool = True
) -> Page[Device]:
    order = Order(search.SORTS[sort.removeprefix("-")], is_descending=sort.startswith("-"))
    found = search.matching(expression, exclude_retired=exclude_retired)
    return record_pages.following(found, order, size=size, after=after, with_retired=not exclude_retired)
