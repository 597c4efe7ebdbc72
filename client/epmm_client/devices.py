"""Devices: found by an expression, looked at, acted upon."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from epmm_client.connection import Connection, Json
from epmm_client.errors import Ambiguous, Refused

SHOWN: Final = (
    "common.uuid",
    "common.SerialNumber",
    "ios.DeviceName",
    "common.model",
    "common.os_version",
    "common.status",
    "user.user_id",
    "common.last_connected_at",
)
PAGE: Final = 200
OF_THE_DEVICE: Final = frozenset({404, 409, 422})  # statuses that speak of one device, and not of the call


class Outcome(NamedTuple):
    uuid: str
    is_done: bool
    said: str  # for people


class Devices:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def search(self, query: str = "", *, fields: Sequence[str] = SHOWN) -> Iterator[Json]:
        """In the order of their numbers, which nothing that changes meanwhile upsets."""
        offset = 0
        while True:
            asked = {"query": query, "fields": ",".join(fields), "limit": PAGE, "offset": offset}
            page = self._connection.call("GET", "devices", query=asked)
            yield from page["results"]
            offset += len(page["results"])
            if not page["hasMore"] or not page["results"]:
                return

    def count(self, query: str = "") -> int:
        return int(self._connection.call("GET", "devices/count", query={"query": query})["totalCount"])

    def fields(self) -> Sequence[Json]:
        found: Sequence[Json] = self._connection.call("GET", "devices/search_fields")["results"]
        return found

    def show(self, uuid: str) -> Json:
        """All fields that have a value."""
        told = self._connection.call("GET", f"devices/{uuid}/details")["results"]
        return {each["name"]: each["value"] for each in told if each["value"] is not None}

    def uuid_of(self, name: str) -> str:
        """Of a UUID or a serial number.  Raises Ambiguous."""
        if _is_uuid(name):
            return name.lower()
        query = f'"common.SerialNumber" = {quoted(name)} AND "common.status" != "RETIRED"'
        found = [str(row["common.uuid"]) for row in self.search(query, fields=("common.uuid",))]
        if len(found) != 1:
            count = "no device" if not found else f"{len(found)} devices"
            raise Ambiguous(f"{count[0].upper()}{count[1:]} with the serial number {name}. Name it by its UUID.")
        return found[0]

    def act(self, action: str, uuids: Iterable[str], *, note: str = "", **values: Any) -> Sequence[Outcome]:
        """`lock`, `wipe` and what else the document has; one after the other, each once however often it is tried.

        What one device refuses keeps nothing from the next.  Raises Refused where the caller may not, Unreachable.
        """
        body = {"action": action, "values": {name: value for name, value in values.items() if value}, "note": note}
        return [self._outcome(uuid, body) for uuid in uuids]

    def _outcome(self, uuid: str, body: Json) -> Outcome:
        try:
            said = self._connection.call("POST", f"x/devices/{uuid}/actions", body=body)["said"]
        except Refused as refused:
            if refused.status not in OF_THE_DEVICE:
                raise
            return Outcome(uuid, is_done=False, said=str(refused))
        return Outcome(uuid, is_done=True, said=said)

    def exported_labels(self) -> Iterator[Json]:
        """As an import takes them."""
        return self._connection.pages("x/exports/labels", {"limit": 200})

    def bring_labels(self, content: str, form: str, *, dry_run: bool = False, partial: bool = False) -> Json:
        """A file, `csv` or `json`: all of its rows or none.  A dry run tells every change, and makes none."""
        body = {"format": form, "content": content, "dry_run": dry_run, "partial": partial}
        told: Json = self._connection.call("POST", "x/imports/labels", body=body, packed=True)
        return told

    def labels(self) -> Iterator[Json]:
        offset = 0
        while True:
            asked = {"limit": PAGE, "offset": offset}
            page = self._connection.call("GET", "labels/label_summary", query=asked)
            yield from page["results"]
            offset += len(page["results"])
            if not page["hasMore"] or not page["results"]:
                return


def quoted(text: str) -> str:
    """As the query language has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name.lower()
    except ValueError:
        return False
