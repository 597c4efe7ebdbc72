"""GDPR Profile: personal data that some administrators do not see (portal specification, section 9.3).

One place for lists, details, files and the API: whoever shows a row shows `seen(row)`.  What is hidden holds for the
request; `users/middleware.py` says it.  Pages that do not keep to it do not open (`users/permissions.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

M = TypeVar("M", bound=Model)
STARS: Final = "*****"
FIELDS: Final[Mapping[str, str | Promise]] = {
    "user_id": _("User ID"),
    "name": _("Name of the person"),
    "email": _("Email address and Managed Apple Account"),
    "phone": _("Phone number"),
    "device_name": _("Device name"),
    "serial": _("Serial number"),
    "imei": "IMEI",
    "meid": "MEID",
    "iccid": "ICCID",
    "imsi": "IMSI",
    "ip": _("IP address"),
    "eid": _("SIM EID"),
}
EMPTY: Final = frozenset({"serial", "imei"})  # the others show that there is something
_ATTRIBUTES: Final[dict[type[Model], Mapping[str, str]]] = {}
_hidden: Final[ContextVar[frozenset[str]]] = ContextVar("hidden", default=frozenset())


def personal(model: type[Model], attributes: Mapping[str, str]) -> None:
    """Say which attributes of a model are which of FIELDS; under the key `""` one is hidden with any of them."""
    _ATTRIBUTES[model] = attributes


def hidden() -> frozenset[str]:
    """From whoever is asking."""
    return _hidden.get()


@contextmanager
def hiding(fields: Iterable[str]) -> Iterator[None]:
    token = _hidden.set(frozenset(fields))
    try:
        yield
    finally:
        _hidden.reset(token)


def hide(fields: Iterable[str]) -> None:
    """Until the end of the `hiding` around it."""
    _hidden.set(frozenset(fields))


def is_hidden(model: type[Model], attribute: str, fields: frozenset[str]) -> bool:
    key = _ATTRIBUTES.get(model, {}).get(attribute)
    return key is not None and (key in fields or (key == "" and bool(fields)))


def seen(row: M, fields: frozenset[str] | None = None) -> M:
    """The row as the one who asks may see it.  It is for showing: it neither takes nor saves anything."""
    fields = hidden() if fields is None else fields
    return _Seen(row, fields) if fields else row  # type: ignore[return-value] # it passes for one


class _Seen:
    """Stands before a row; whatever it leads to stands behind one, too."""

    __slots__ = ("_fields", "_row")

    def __init__(self, row: Model, fields: frozenset[str]) -> None:
        object.__setattr__(self, "_row", row)
        object.__setattr__(self, "_fields", fields)

    @property  # type: ignore[misc] # as Django's lazy objects do
    def __class__(self) -> Any:
        return type(self._row)

    def __getattr__(self, name: str) -> Any:
        row, fields = object.__getattribute__(self, "_row"), object.__getattribute__(self, "_fields")
        if name in ("save", "delete", "save_base", "refresh_from_db"):
            raise AttributeError(f"{name}: this row is for showing")
        value = getattr(row, name)
        if is_hidden(type(row), name, fields):
            return masked(value, _ATTRIBUTES[type(row)][name])
        return seen(value, fields) if isinstance(value, Model) else value

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: this row is for showing")

    def __str__(self) -> str:
        return type(self._row).__str__(self)  # type: ignore[call-arg] # as `seen`

    def __eq__(self, other: object) -> bool:
        return bool(self._row == other)

    def __hash__(self) -> int:
        return hash(self._row)


def masked(value: Any, key: str) -> Any:
    """What is not known is not worth hiding."""
    if isinstance(value, Mapping):
        return {}
    return STARS if value and key not in EMPTY else "" if isinstance(value, str) else None
