"""Access tokens of the API: under one's own account, and those of others for whoever manages administrators."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from users import permissions
from users.errors import InvalidToken
from users.models import AdminRole, ApiToken, User
from users.services import api_tokens
from users.token_forms import TokenForm
from users.views import chosen
from users.views.dialogs import GO, StepUp, administrator


@sensitive_post_parameters("password")
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """The token is shown once, in the answer to its making."""
    user = administrator(request)
    permissions.require(request, AdminRole.API)
    is_sent = GO in request.POST
    form = TokenForm(request.POST if is_sent else None, held=permissions.roles_of(request))
    step_up = StepUp(request)
    if not is_sent or not form.is_valid():
        return _asked(request, form, step_up, 422 if is_sent else 200)
    if not step_up.is_passed():
        return _asked(request, form, step_up, step_up.status)
    try:
        row, token = api_tokens.create(user, **form.cleaned_data, actor=user.user_id)
    except InvalidToken as error:
        form.add_error(None, str(error))
        return _asked(request, form, step_up, 422)
    return render(request, "portal/account/token_made.html", {"row": row, "token": token})


@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """One's own."""
    _revoke(request, administrator(request))
    return redirect("portal:account")


@require_http_methods(["GET", "HEAD", "POST"])
def of_another(request: HttpRequest, number: int) -> HttpResponse:
    user = get_object_or_404(User, pk=number)
    if request.method != "POST":
        return render(request, "portal/people/tokens.html", {"person": user, "tokens": api_tokens.of(user)})
    _revoke(request, user)
    return redirect("portal:users-edit", user.pk)


def _revoke(request: HttpRequest, owner: User) -> None:
    keys = chosen.keys([request.POST.get("token", "")])
    token = ApiToken.objects.filter(user=owner, pk__in=keys).first()
    if token is not None and api_tokens.revoke(token, actor=administrator(request).user_id):
        messages.success(request, _("The token {name} opens nothing any more.").format(name=token.name))


def _asked(request: HttpRequest, form: TokenForm, step_up: StepUp, status: int) -> HttpResponse:
    context = {"form": form, "identity": step_up.form}
    return render(request, "portal/account/token_add.html", context, status=status)
