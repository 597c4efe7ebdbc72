from typing import Any

from epmm_client.connection import Connection
from epmm_client.devices import Devices
from epmm_client.users import Users


class Client(Connection):
    """A connection, and what there is to ask: `call` and `pages` for all that has no method of its own."""

    @property
    def devices(self) -> Devices:
        return Devices(self)

    @property
    def users(self) -> Users:
        return Users(self)

    def version(self) -> str:
        told: Any = self.call("GET", "ping")
        return str(told["results"]["vspVersion"]).strip()
