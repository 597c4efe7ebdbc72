"""Every call stands in the audit log, with those of its parameters that hold no secret."""

from collections.abc import Iterable
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from epmm import audit
from epmm.api.errors import ApiError
from epmm.api.parameters import Parameters
from epmm.masking import STARS
from epmm.models import AuditEntry
from users.api.caller import Caller

ACTION: Final = "api.call"
LONGEST: Final = 500
MOST: Final = 30
UNRECORDED: Final = frozenset({401, 429})  # strangers and floods: they have counters of their own
ERRORS: Final = 400
# Whatever is not named, here or by a view, is masked: a parameter that is new, misspelt or meant for others stays
# silent.
TOLD: Final = frozenset(
    {
        "adminDeviceSpaceId",
        "query",
        "labelId",
        "fields",
        "limit",
        "offset",
        "sortField",
        "sortOrder",
        "actionType",
        "deviceUuids",
    }
)


def record(caller: Caller, request: Request, response: Response, name: str, told: Iterable[str]) -> None:
    if response.status_code in UNRECORDED:
        return
    audit.record(
        ACTION,
        actor=caller.user.user_id,
        subject_type="api",
        subject=f"{request.method} {name}",
        status=AuditEntry.Status.FAILED if response.status_code >= ERRORS else AuditEntry.Status.SUCCESS,
        details=_details(caller, request, response, frozenset(told)),
    )


def _details(caller: Caller, request: Request, response: Response, told: frozenset[str]) -> dict[str, Any]:
    details: dict[str, Any] = {"answer": response.status_code, "parameters": _parameters(request, TOLD | told)}
    if match := request.resolver_match:
        details |= {key: _shortened(value) for key, value in match.kwargs.items()}
    if caller.token is not None:
        details["token"] = caller.token.name
    return details


def _parameters(request: Request, told: frozenset[str]) -> dict[str, str]:
    parameters = getattr(request, "parameters", None)
    if not isinstance(parameters, Parameters):  # refused before its body was read, or nobody reads one
        parameters = Parameters(request.query_params, {})
    harmless = {name.lower() for name in told}  # the older API takes names in any case of letters
    names = parameters.names()[:MOST]
    return {_shortened(name): _told(parameters, name) if name.lower() in harmless else STARS for name in names}


def _told(parameters: Parameters, name: str) -> str:
    try:
        several = parameters.several(name) if name.endswith("s") else []
    except ApiError:
        several = []
    return _shortened(", ".join(several) if len(several) > 1 else parameters.raw(name))


def _shortened(value: Any) -> str:
    text = str(value).replace("\0", "").encode(errors="replace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
