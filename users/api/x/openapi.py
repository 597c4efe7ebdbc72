from rest_framework.request import Request
from rest_framework.response import Response

from users.api.x.base import XView


class Document(XView):
    says = {"GET": "This document: OpenAPI 3.1."}
    tells = {"GET": {"type": "object", "additionalProperties": True}}
    media = {"application/json": {"openapi": "3.1.0", "info": {"title": "EPMM", "version": "0.1.0"}, "paths": {}}}

    def get(self, _request: Request) -> Response:
        from users.api.document import document  # which looks at all addresses, this one among them

        return Response(document())
