"""One spelling for every address of the API, before anything looks at it.

Connectors write `/rest/api/v2/`, `/api/V2/` and slashes at the end.  They are rewritten here, in front of the router
and so in front of every decision, which leaves no variant that could be allowed more than another.  Nothing else is
put right: what has `//`, `..` or `;` in it is another address, and there is none like it.
"""

import re
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

BASE: Final = "/api/v2/"
OLD_BASE: Final = "/api/v1/"
_VARIANT: Final = re.compile(r"/(?:rest/)?api/[vV]([12])(?:/(.*))?", re.DOTALL)


def canonical(path: str) -> str | None:
    """The address that is meant; None for whatever is none of the API."""
    found = _VARIANT.fullmatch(path)
    if found is None:
        return None
    version, rest = found.groups()
    return f"/api/v{version}/{(rest or '').rstrip('/')}"


def is_api(path: str) -> bool:
    return path.startswith((BASE, OLD_BASE))


def normalized(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        meant = canonical(request.path_info)
        if meant is not None:
            request.path = request.path_info = meant
        return get_response(request)

    return middleware
