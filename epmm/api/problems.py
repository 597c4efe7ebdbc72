"""Problem details (RFC 9457): how our own API tells a failure."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from django.utils.translation import gettext as _

from epmm import request_id
from epmm.api.errors import ApiError, Problem

MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:problem-type:epmm:"
INVALID: Final = "fields.invalid"
# RFC 9110, 15.5.14 and 15.5.21; Python before 3.13 has the names of an older RFC.
_TITLES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
# What a service refuses was read and understood (RFC 9110, 15.5.21).
REFUSED: Final = frozenset({"request.refused", "label.refused"})


def body(problem: Problem) -> dict[str, Any]:
    status = status_of(problem)
    told: dict[str, Any] = {
        "type": TYPE + problem.key,
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": problem.sentence,
        "instance": f"urn:request:{request_id.current()}",  # by which the log is searched
    }
    return told | ({"errors": list(problem.errors)} if problem.errors else {})


def status_of(problem: Problem) -> int:
    return 422 if problem.key in REFUSED else problem.status


def invalid_fields(errors: Mapping[str, Any]) -> ApiError:
    """Of what a serializer says is wrong with a body; each place is a JSON pointer (RFC 6901, 6)."""
    told = [{"detail": sentence, "pointer": pointer} for pointer, sentence in _places(errors, "#")]
    return ApiError(422, INVALID, _("Some fields are not right."), errors=told)


def invalid_parameters(errors: Mapping[str, Any]) -> ApiError:
    told = [{"detail": sentence, "parameter": pointer.removeprefix("#/")} for pointer, sentence in _places(errors, "#")]
    return ApiError(400, "parameters.invalid", _("Some parameters are not right."), errors=told)


def _places(errors: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            # what is wrong with all of it stands under a name of the framework's
            step = "" if name == "non_field_errors" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from _places(inner, pointer + step)
    elif isinstance(errors, Sequence) and not isinstance(errors, str):
        for place, inner in enumerate(errors):
            yield from _places(inner, f"{pointer}/{place}" if isinstance(inner, Mapping) and inner else pointer)
    else:
        yield pointer, str(errors)
