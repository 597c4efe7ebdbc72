from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from epmm import version
from epmm.api import envelope
from epmm.api.errors import ApiError
from users.api.base import ApiView


class Ping(ApiView):
    def get(self, _request: Request) -> Response:
        told = {"apiVersion": 2, "vspVersion": f"EPMM {version.NUMBER} Build {version.BUILD} "}
        return Response(envelope.one(told))


class NoApps(ApiView):
    """There is no catalogue of apps; clients that look for one go on with an empty list."""

    def get(self, _request: Request) -> Response:
        return Response(envelope.page([], total=0, has_more=False))


class NoApp(ApiView):
    def get(self, _request: Request, key: str) -> Response:  # noqa: ARG002 - of the address
        raise ApiError(404, "app.not.found", _("There is no such app."))
