"""A body that the front door has not let in: what a browser shows of it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def too_large(request: HttpRequest) -> HttpResponse:
    is_dialog = "HX-Request" in request.headers
    return render(request, "portal/too_large.html" if is_dialog else "413.html", status=413)
