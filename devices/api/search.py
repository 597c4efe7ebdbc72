"""GET devices, devices/count, devices/search_fields, devices/{uuid}/details."""

import time
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from devices.api import asked, rows
from devices.search.fields import Field, Kind
from devices.services import hidden_fields, record_pages, search
from epmm.api import envelope
from epmm.api.paging import Window
from users.api.base import ApiView

TYPES: Final = {
    Kind.TEXT: "STRING",
    Kind.VERSION: "STRING",
    Kind.NUMBER: "NUMBER",
    Kind.DATE: "DATE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.ENUMERATION: "STRING",
    Kind.LIST: "STRING",
}


class Devices(ApiView):
    def get(self, _request: Request) -> Response:
        began = time.perf_counter()
        self.space  # noqa: B018 - looked at before anything else
        window, order = Window.read(self.parameters), asked.order(self.parameters)
        fields = self.parameters.several("fields")
        wanted = rows.wanted(fields, search.registry(fields or [rows.OF_DEVICE]))
        chosen = asked.chosen(self.parameters, self.person)
        page = record_pages.page(
            chosen.devices, name=chosen.name, order=order, offset=window.offset, limit=window.limit
        )
        body = envelope.page(
            rows.rows(page.rows, wanted), total=page.total, has_more=page.has_more, messages=wanted.messages()
        )
        return Response(envelope.timed(body, began=began))


class Count(ApiView):
    def get(self, _request: Request) -> Response:
        began = time.perf_counter()
        self.space  # noqa: B018 - as above
        chosen = asked.chosen(self.parameters, self.person)
        total = record_pages.count(chosen.devices, name=chosen.name)
        return Response(envelope.timed({"totalCount": total, "messages": []}, began=began))


class SearchFields(ApiView):
    """Also at `device_spaces/criteria`, where connectors ask for it."""

    def get(self, _request: Request) -> Response:
        found = [_field(each) for each in search.registry().fields if not hidden_fields.is_hidden(each.key)]
        return Response(envelope.page(found, total=len(found), has_more=False))


class Details(ApiView):
    def get(self, _request: Request, uuid: str) -> Response:
        fields = [each.key for each in search.registry().fields]
        [row] = rows.rows([asked.device(uuid)], rows.wanted(fields, search.registry()))
        found = [{"name": name, "value": value} for name, value in row.items()]
        return Response(envelope.page(found, total=len(found), has_more=False))


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.key,
        "displayName": str(field.label),
        "type": TYPES[field.kind],
        "operators": [operator.written for operator in field.operators],
        "values": list(field.values),
        "category": field.group.name,
    }
