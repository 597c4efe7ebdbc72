"""Sessions of the portal as rows that know their person.  Nothing here is asked for by a device."""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from users.models import PortalSession

ADDRESS = "address"
ROLES: Final = "roles"


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[PortalSession]:
        return PortalSession

    def create_model_instance(self, data: dict[str, Any]) -> PortalSession:
        row = super().create_model_instance(data)
        if not isinstance(row, PortalSession):
            raise TypeError
        user_id = data.get(SESSION_KEY)
        row.user_id = int(user_id) if user_id else None
        row.address = data.get(ADDRESS)
        return row


def keep_roles(session: SessionBase, roles: Iterable[str]) -> None:
    """A session that may do more, or less, than before gets another key."""
    now = sorted(roles)
    before = session.get(ROLES)
    if before == now:
        return
    if before is not None:
        session.cycle_key()
    session[ROLES] = now
