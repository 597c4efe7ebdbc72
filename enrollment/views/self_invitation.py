from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from enrollment.services import own_invitations
from epmm.client_address import client_address
from epmm.mail import MailRefused
from epmm.rate_limit import limited
from users import self_permissions
from users.errors import TooManyAttempts
from users.views.self_account import TOO_MANY, page


@limited
@require_POST
def send(request: HttpRequest) -> HttpResponse:
    user = self_permissions.person(request)
    try:
        own_invitations.send(user, self_permissions.roles_of(request), address=client_address(request))
    except MailRefused:
        return page(request, "refused", sentence=_("No invitation can be sent to you by mail."), status=403)
    except TooManyAttempts as refusal:
        return page(request, "refused", sentence=str(refusal), status=TOO_MANY)
    messages.success(request, _("The steps are on their way to {email}.").format(email=user.email))
    return redirect("self:home")
