from rest_framework.request import Request
from rest_framework.response import Response

from epmm import version
from epmm.api import envelope
from users.api.base import ApiView


class Ping(ApiView):
    def get(self, _request: Request) -> Response:
        told = {"apiVersion": 2, "vspVersion": f"EPMM {version.NUMBER} Build {version.BUILD} "}
        return Response(envelope.one(told))
