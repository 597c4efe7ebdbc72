from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from epmm.portal import navigation


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """The first page that this administrator may open."""
    may_open = request.may_open  # type: ignore[attr-defined] # users/middleware.py
    for tab in navigation.shown(may_open, ""):
        return redirect(f"portal:{tab.name}")
    return render(request, "portal/nothing.html")
