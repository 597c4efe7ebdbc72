from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from enrollment.services import authorities
from epmm import options, settings_store
from epmm.rate_limit import limited


@limited
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """How to enroll, for whoever comes here with a browser."""
    context = {
        "organization": authorities.organization(),
        "enabled": settings_store.read(options.ADDE) or settings_store.read(options.AAUE),
        "example_address": f"name@{options.enrollment_domains()[0]}",
    }
    return render(request, "enrollment/home.html", context)
