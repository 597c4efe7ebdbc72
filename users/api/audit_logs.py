"""The audit log as a file: begun, looked after, fetched; and the actions that it knows."""

import zlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from epmm.api import envelope
from epmm.api.errors import ApiError, bad_parameter, tells
from epmm.models import AuditEntry, AuditExport
from users.api.base import ApiView
from users.services import audit_export, audit_search

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FARTHEST: Final = 253_402_300_799_999  # milliseconds; the year 9999
TOLD: Final = frozenset({"userActionIds", "status", "subject", "actionStart", "actionEnd", "requestId"})
STATES: Final = {
    AuditExport.State.WAITING: "INITIATED",
    AuditExport.State.RUNNING: "IN_PROGRESS",
    AuditExport.State.DONE: "COMPLETED",
}

tells(audit_export.ExportRefused, 429, "export.refused")


class Actions(ApiView):
    """By category, as EPMM answers them: a list without an envelope."""

    def get(self, _request: Request, source: str = "") -> Response:
        found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for name in audit_search.actions():
            category = name.partition(".")[0]
            if source == "deviceDetails" and category not in ("device", "command", "label"):
                continue
            number = number_of(name)
            found[category].append({"id": number, "name": name, "category": category, "displayName": name})
        return Response([{"category": category, "actions": actions} for category, actions in sorted(found.items())])


class Export(ApiView):
    told_parameters = TOLD

    def get(self, _request: Request) -> Response:
        """EPMM documents a GET that begins something, with a body."""
        export = audit_export.ask(self.person, self._asked())
        return Response(_told(export))

    def post(self, request: Request) -> Response:
        return self.get(request)

    def _asked(self) -> dict[str, str]:
        asked = {
            "action": ",".join(self._actions()),
            "statuses": ",".join(self._statuses()),
            "device": self.parameters.text("subject", longest=255).strip(),
            "since": self._moment("actionStart"),
            "until": self._moment("actionEnd"),
        }
        return {name: text for name, text in asked.items() if text}

    def _actions(self) -> list[str]:
        wanted = set(self.parameters.several("userActionIds"))
        names = {name for name in audit_search.actions() if str(number_of(name)) in wanted or name in wanted}
        if len(names) < len(wanted):
            raise bad_parameter("userActionIds", _("There is no such action."))
        return sorted(names)

    def _statuses(self) -> list[str]:
        known = {value.lower(): value for value in AuditEntry.Status.values}
        wanted = [each.lower() for each in self.parameters.several("status")]
        if set(wanted) - known.keys():
            values = ", ".join(AuditEntry.Status.values)
            raise bad_parameter("status", _("{name} is one of {values}.").format(name="status", values=values))
        return [known[each] for each in wanted]

    def _moment(self, name: str) -> str:
        if not self.parameters.text(name):
            return ""
        milliseconds = self.parameters.number(name, high=FARTHEST)
        return (EPOCH + timedelta(milliseconds=milliseconds)).isoformat()


class ExportStatus(ApiView):
    told_parameters = TOLD

    def get(self, _request: Request) -> Response:
        return Response(_told(_export(self)))


class Download(ApiView):
    told_parameters = TOLD

    def get(self, _request: Request) -> StreamingHttpResponse:
        export = _export(self)
        if export.state != AuditExport.State.DONE:
            raise ApiError(404, "export.not.ready", _("This export is not ready yet."))
        lines = audit_export.fetch(self.person, export.uuid)
        headers = {"Content-Disposition": f'attachment; filename="audit-{timezone.now():%Y-%m-%d}.csv"'}
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def number_of(name: str) -> int:
    """Clients name actions by numbers; the same everywhere and for ever, without a table of them."""
    return zlib.crc32(name.encode()) & 0x7FFF_FFFF


def _export(view: ApiView) -> AuditExport:
    """The one that is named, or the newest; of one's own alone."""
    found = audit_export.of(view.person)
    text = view.parameters.text("requestId", longest=64).strip()
    try:
        export = found.filter(uuid=UUID(text)).first() if text else found.first()
    except ValueError:
        export = None
    if export is None:
        raise ApiError(404, "export.not.found", _("There is no such export."))
    return export


def _told(export: AuditExport) -> dict[str, Any]:
    state = STATES[AuditExport.State(export.state)]
    return envelope.one({"requestId": str(export.uuid), "status": state, "rows": export.rows}) | {"messages": []}
