"""What every view of the API is made of: who calls, whether they may, how often, in which form it answers."""

from functools import cached_property
from typing import Any, ClassVar, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from epmm import audit, masking
from epmm.api import envelope
from epmm.api.errors import ApiError, Problem
from epmm.api.parameters import Parameters, read_body
from epmm.client_address import client_address
from users.api import calls, permissions
from users.api.caller import Caller
from users.models import User

NOTE: Final = "note"
LONGEST_REASON: Final = 4 * audit.LONGEST_NOTE


class ApiView(APIView):
    """Authentication, authorization, rate limit, and only then the parameters.  See the settings of REST_FRAMEWORK.

    Answers are made inside `dispatch`: rows that come later, in a stream, must be masked by whoever makes them.
    """

    told_parameters: ClassVar[frozenset[str]] = frozenset()  # besides `calls.TOLD`, in the audit log
    reads: ClassVar[type[Parameters]] = Parameters

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with audit.coming_from(client_address(request)), masking.hiding(()):
            response = super().dispatch(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        caller = self.known_caller
        if caller is not None:
            match = request.resolver_match
            name = (match.url_name or "") if match is not None else ""
            calls.record(caller, request, response, name, self.told_parameters)
        return response

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: the framework would tell strangers which methods an address takes."""
        return {}

    @property
    def known_caller(self) -> Caller | None:
        """Asked of a refused call, too."""
        found = getattr(self.request, "_auth", None)
        return found if isinstance(found, Caller) else None

    @property
    def caller(self) -> Caller:
        found = self.request.auth
        if not isinstance(found, Caller):
            raise TypeError
        return found

    @property
    def person(self) -> User:
        return self.caller.user

    @property
    def actor(self) -> str:
        return self.person.user_id

    @cached_property
    def parameters(self) -> Parameters:
        """Of the address and the body.  Raises ApiError."""
        http = self.request._request
        found = self.reads(http.GET, read_body(http.body, http.META.get("CONTENT_TYPE", "")))
        http.parameters = found  # type: ignore[attr-defined] # for the audit log
        return found

    @cached_property
    def space(self) -> int:
        """Which was asked for, or the caller's only one.  Raises ApiError."""
        spaces = self.caller.spaces
        only = next(iter(spaces)) if len(spaces) == 1 else None
        space = self.parameters.of_address.number(permissions.SPACE, only)  # as `Permitted` has looked at it
        if space not in spaces:
            raise ApiError(403, "space.missing", _("You have no role in this device space."))
        return space

    def require(self, role: str) -> None:
        permissions.require(self.request, role)

    def noting(self) -> Any:
        """Around what a caller gives a reason for."""
        return audit.noting(self.parameters.text(NOTE, longest=LONGEST_REASON))

    def tell(self, problem: Problem) -> Response:
        """A failure in the form of this surface."""
        return Response(envelope.refusal(problem), status=problem.status)


class Unknown(ApiView):
    """Whatever is at no address: told so to those alone who may know what is."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise ApiError(404, "not.found", _("There is nothing at this address."))
