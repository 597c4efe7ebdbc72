"""Sessions of the portal as rows that know their person.  Nothing here is asked for by a device."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from users.models import PortalSession

ADDRESS = "address"


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
