"""Pages of our own API: each says where the next begins, and the thousandth costs what the first does."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from epmm.api.errors import ApiError
from epmm.portal import keyset
from epmm.portal.keyset import Order, Page

M = TypeVar("M", bound=Model)
CURSOR: Final = "cursor"


def page(
    rows: QuerySet[M],
    order: Order,
    *,
    limit: int,
    cursor: str,
    place: Callable[[str], str],
    read: Callable[..., Page[M]] = keyset.page,
) -> tuple[list[M], str | None]:
    """The rows, and the address of those that follow, which `place` makes of a cursor.  Raises ApiError."""
    if cursor and not keyset.is_place(rows, order, cursor):
        told = [{"detail": _("This is no cursor of this list in this order."), "parameter": CURSOR}]
        raise ApiError(400, "parameters.invalid", _("Some parameters are not right."), errors=told)
    found = read(rows, order, size=limit, after=cursor)
    return found.rows, place(found.after) if found.after else None


def address(path: str, asked: Mapping[str, Any], cursor: str) -> str:
    return f"{path}?{urlencode(dict(asked) | {CURSOR: cursor}, doseq=True)}"


def link(following: str | None) -> dict[str, str]:
    """RFC 8288, 3."""
    return {"Link": f'<{following}>; rel="next"'} if following else {}
