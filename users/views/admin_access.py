"""How an administrator gets in: the open sessions, which another may end, and the second factor for who has lost it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from users.models import User
from users.services import portal_sessions, second_factor
from users.views.dialogs import GO, StepUp, administrator, done


@require_POST
def end_sessions(request: HttpRequest, number: int) -> HttpResponse:
    user = get_object_or_404(User, pk=number)
    ended = portal_sessions.end(user, request.POST.getlist("session"), actor=administrator(request).user_id)
    messages.success(request, _("Sessions ended: {n}").format(n=ended))
    return redirect("portal:users-edit", user.pk)


@sensitive_post_parameters("password")
@require_POST
def second_factor_off(request: HttpRequest, number: int) -> HttpResponse:
    user = get_object_or_404(User, pk=number, is_admin=True)
    step_up = StepUp(request)
    if GO not in request.POST or not step_up.is_passed():
        status = step_up.status if GO in request.POST else 200
        context = {"person": user, "form": step_up.form}
        return render(request, "portal/people/second_factor_off.html", context, status=status)
    second_factor.switch_off(user, actor=administrator(request).user_id)
    return done(request, _("The second factor is switched off."))
