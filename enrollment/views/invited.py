"""The address in an invitation: it says that the person has come, and leads to the help."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from enrollment.services import invitations, own_address
from epmm.rate_limit import limited


@limited
@never_cache
@require_safe
def come(request: HttpRequest, token: str) -> HttpResponse:
    del request
    user = invitations.opened(token, timezone.now())
    return redirect(own_address.help_path(user))
