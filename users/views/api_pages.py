"""Admin > API: the OpenAPI document as pages that can be tried out, by Swagger.

The session of the portal shows it and does no more: what is tried out needs credentials of its own, as all calls do.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

STYLE: Final = "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
# Pictures in the address itself, which the policy of the pages does not allow.
_INLINE: Final = re.compile(r'url\("data:(?:[^"\\]|\\.)*"\)|url\(data:[^)"]*\)')


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    answer: HttpResponse = _page()(request)
    return answer


@cache
def _page() -> Callable[[HttpRequest], Any]:
    from drf_spectacular.views import SpectacularSwaggerSplitView  # a tenth of all that the front door loads

    class Page(SpectacularSwaggerSplitView):
        authentication_classes = ()  # `PortalGuard` has looked
        permission_classes = ()
        throttle_classes = ()
        url_name = "portal:api-document"
        template_name = "portal/api/page.html"
        template_name_js = "portal/api/start.js"

    return Page.as_view()


@require_safe
def openapi(_request: HttpRequest) -> HttpResponse:
    from users.api.document import document  # as above

    return JsonResponse(document())


@require_safe
def style(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(_style(), content_type="text/css; charset=utf-8")


@cache
def _style() -> str:
    found = finders.find(STYLE)
    if found is None:
        raise FileNotFoundError(STYLE)
    return _INLINE.sub("none", Path(found).read_text(encoding="utf-8"))
