"""People and their roles."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from epmm_client.connection import Connection, Json
from epmm_client.errors import Ambiguous


class Users:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, **asked: Any) -> Iterator[Json]:
        """`q`, `source`, `enabled`, `sort` and `limit` of a page, as the document has them."""
        return self._connection.pages("x/users", asked)

    def find(self, name: str) -> Json:
        """By user ID, or by UUID.  Raises Ambiguous."""
        if _is_uuid(name):
            found: Json = self._connection.call("GET", f"x/users/{name}")
            return found
        people = list(self.list(user_id=name))
        if len(people) != 1:
            raise Ambiguous(f"There is no user {name}.")
        return people[0]

    def add(self, **facts: Any) -> Json:
        made: Json = self._connection.call("POST", "x/users", body=facts)
        return made

    def roles(self, user: Mapping[str, Any]) -> Sequence[Json]:
        found: Sequence[Json] = self._connection.call("GET", f"x/users/{user['uuid']}/roles")["items"]
        return found

    def assign_roles(
        self, user: Mapping[str, Any], roles: Sequence[str], *, managed_apple_account: str | None = None
    ) -> Sequence[Json]:
        """Those that are granted already stay.  All that act then, each as often as it has an origin."""
        body: Json = {"roles": list(roles)}
        if managed_apple_account is not None:
            body["managed_apple_account"] = managed_apple_account
        held: Sequence[Json] = self._connection.call("POST", f"x/users/{user['uuid']}/roles", body=body)["items"]
        return held

    def remove_role(self, user: Mapping[str, Any], role: str) -> None:
        self._connection.call("DELETE", f"x/users/{user['uuid']}/roles/{role}")

    def switch(self, user: Mapping[str, Any], *, is_on: bool) -> Json:
        """Whether they may sign in and enroll."""
        word = "enable" if is_on else "disable"
        found: Json = self._connection.call("POST", f"x/users/{user['uuid']}/{word}")
        return found

    def exported(self) -> Iterator[Json]:
        """Everybody with their roles, as an import takes them."""
        return self._connection.pages("x/exports/users", {"limit": 200})

    def bring(self, content: str, form: str, *, dry_run: bool = False, partial: bool = False) -> Json:
        """A file, `csv` or `json`: all of its rows or none.  A dry run tells every change, and makes none."""
        body = {"format": form, "content": content, "dry_run": dry_run, "partial": partial}
        told: Json = self._connection.call("POST", "x/imports/users", body=body, packed=True)
        return told

    def known_roles(self) -> Sequence[Json]:
        found: Sequence[Json] = self._connection.call("GET", "x/roles")["items"]
        return found


def _is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name.lower()
    except ValueError:
        return False
