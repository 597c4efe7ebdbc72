"""The address in an invitation: it says that the person has come, and leads to the help."""

from typing import Final

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from enrollment.services import invitations
from epmm.rate_limit import limited

HELP: Final = "/help/enroll"
SALT: Final = "enrollment.own-address"  # what the help shows the person's own address by


@limited
@never_cache
@require_safe
def come(request: HttpRequest, token: str) -> HttpResponse:
    del request
    user = invitations.opened(token, timezone.now())
    return redirect(HELP if user is None else f"{HELP}?{urlencode({'for': signing.dumps(user.pk, salt=SALT)})}")
