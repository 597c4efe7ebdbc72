"""Admin > API: the OpenAPI document as pages that can be tried out, by Swagger.

The session of the portal shows it and does no more: what is tried out needs credentials of its own, as all calls do.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from users.api.document import document

STYLE: Final = "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
# Pictures in the address itself, which the policy of the pages does not allow.
_INLINE: Final = re.compile(r'url\("data:(?:[^"\\]|\\.)*"\)|url\(data:[^)"]*\)')


class Page(SpectacularSwaggerSplitView):
    authentication_classes = ()  # `PortalGuard` has looked
    permission_classes = ()
    throttle_classes = ()
    url_name = "portal:api-document"
    template_name = "portal/api/page.html"
    template_name_js = "portal/api/start.js"


@require_safe
def openapi(_request: HttpRequest) -> HttpResponse:
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


page = require_safe(Page.as_view())
