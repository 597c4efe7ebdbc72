"""What is told of a failure, and the one table from exception to status."""

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response

from epmm import failover, request_id

logger = logging.getLogger(__name__)
PREFIX: Final = "epmm."
Said = str | Promise


class ApiError(Exception):
    """A refusal.  `key` is for programs, the sentence for people; both are ours, whatever the caller wrote."""

    def __init__(
        self,
        status: int,
        key: str,
        sentence: Said,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(str(sentence))
        self.status, self.key, self.sentence, self.headers = status, key, sentence, dict(headers or {})
        self.errors = tuple(errors)  # one for each place, where a surface tells places


def bad_parameter(name: str, sentence: Said) -> ApiError:
    return ApiError(400, f"parameter.{name}", sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A failure as every surface of the API tells it, each in a form of its own."""

    status: int
    key: str
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Mapping[str, str]] = ()


# Exceptions of services, whose argument is a sentence for people: what each is here.  Apps add theirs.
_TOLD: Final[dict[type[Exception], tuple[int, str]]] = {}


def tells(error: type[Exception], status: int, key: str) -> None:
    """For this exception and all that derive from it and are not told otherwise."""
    _TOLD[error] = (status, key)


_OF_THE_FRAMEWORK: Final[Sequence[tuple[type[Exception], int, str, Said]]] = (
    (exceptions.NotAuthenticated, 401, "credentials.missing", _("This needs a user ID and password, or a token.")),
    (exceptions.AuthenticationFailed, 401, "credentials.wrong", _("The user ID, password or token is not right.")),
    (exceptions.PermissionDenied, 403, "role.missing", _("Your roles do not allow this.")),
    (PermissionDenied, 403, "role.missing", _("Your roles do not allow this.")),
    (Http404, 404, "not.found", _("There is nothing at this address.")),
    (exceptions.NotFound, 404, "not.found", _("There is nothing at this address.")),
    (exceptions.MethodNotAllowed, 405, "method.not.allowed", _("This address does not take that method.")),
    (exceptions.Throttled, 429, "too.many.calls", _("Too many calls. Try again later.")),
    (RequestDataTooBig, 413, "body.too.large", _("The body is too large.")),
    (SuspiciousOperation, 400, "request.invalid", _("The request cannot be read.")),
    (exceptions.ParseError, 400, "body.invalid", _("The body cannot be read.")),
    (exceptions.APIException, 400, "request.invalid", _("The request cannot be read.")),
)


def problem_of(error: Exception) -> Problem:
    if isinstance(error, ApiError):
        more: dict[str, Any] = {"headers": error.headers, "errors": error.errors}
        return Problem(status=error.status, key=error.key, sentence=str(error.sentence), **more)
    for kind in type(error).__mro__:
        if kind in _TOLD:
            status, key = _TOLD[kind]
            return Problem(status=status, key=key, sentence=str(error), headers=_retry(error))
    for framework, status, key, sentence in _OF_THE_FRAMEWORK:
        if isinstance(error, framework):
            return Problem(status=status, key=key, sentence=str(sentence), headers=_retry(error))
    return _fault(error)


def _retry(error: Exception) -> dict[str, str]:
    seconds = getattr(error, "wait", None) or getattr(error, "seconds", None)
    return {"Retry-After": str(max(1, math.ceil(seconds)))} if seconds else {}


def _fault(error: Exception) -> Problem:
    """Ours: whoever asked gets an id by which the log is searched, and nothing of what went wrong."""
    if failover.is_away(error):
        sentence = _("The database cannot be reached just now. Try again in a few seconds.")
        headers = {"Retry-After": str(failover.RETRY_SECONDS)}
        return Problem(status=503, key="unavailable", sentence=str(sentence), headers=headers)
    logger.error("a call of the API failed", exc_info=sys.exc_info())
    sentence = _("The server made a mistake. Its log has more under the name {id}.")
    return Problem(status=500, key="fault", sentence=str(sentence).format(id=request_id.current()))


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """What the framework asks; each view tells a problem in the form of its surface."""
    problem = problem_of(error)
    headers = dict(problem.headers)
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    response: Response = context["view"].tell(problem)
    for name, value in headers.items():
        response.headers[name] = value
    return response
