"""What the portal's dialogs about people have in common."""

from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from users.errors import SignInRefused, TooManyAttempts
from users.forms import ConfirmForm, ElsewhereForm
from users.models import User
from users.services import portal_sign_in
from users.views import chosen

GO: Final = chosen.GO
M = TypeVar("M", bound=Model)


def asked_row(request: HttpRequest, model: type[M]) -> M | None:
    """The row that `number` names, if it is one.  Raises Http404."""
    found = chosen.keys([request.POST.get("number") or request.GET.get("number") or ""])
    return get_object_or_404(model, pk=found[0]) if found else None


def administrator(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError
    return request.user


def refused(request: HttpRequest, sentence: str) -> HttpResponse:
    return render(request, "portal/people/refused.html", {"sentence": sentence}, status=422)


def done(request: HttpRequest, sentence: str) -> HttpResponse:
    """The page below the dialog comes anew and says it."""
    messages.success(request, sentence)
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


def _address(request: HttpRequest) -> str:
    """To the provider, and back to the page below the dialog."""
    below = urlsplit(request.headers.get("HX-Current-URL", ""))
    then = f"{below.path}?{below.query}" if below.query else below.path
    return f"{reverse('portal:confirm-provider')}?{urlencode({'next': then})}"


class StepUp:
    """Who is at the keyboard?  Asked in the dialog itself, unless it was just answered."""

    def __init__(self, request: HttpRequest) -> None:
        self._request, self._user = request, administrator(request)
        self.status = 422
        self.form: ConfirmForm | ElsewhereForm | None = None
        provider = portal_sign_in.confirms_elsewhere(self._user)
        if portal_sign_in.is_confirmed(request):
            return
        if provider is not None:
            self.form = ElsewhereForm(provider.name, address=_address(request))
        else:
            # not asked yet is not answered wrong
            data: Any = request.POST if GO in request.POST and "password" in request.POST else None
            self.form = ConfirmForm(data, asks_code=portal_sign_in.has_second_factor(self._user))
            self.form.fields["password"].widget.attrs.pop("autofocus", None)

    def is_passed(self) -> bool:
        if self.form is None:
            return True
        if isinstance(self.form, ElsewhereForm) or not self.form.is_valid():
            return False
        given = self.form.cleaned_data
        try:
            portal_sign_in.confirm(self._request, self._user, given["password"], given.get("code", ""))
        except SignInRefused as refusal:
            self.form.add_error(None, str(refusal))
            self.status = 429 if isinstance(refusal, TooManyAttempts) else 422
            return False
        return True
