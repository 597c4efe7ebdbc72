"""Logs > Enrollment log: attempts, and the trace of one with what to do (portal specification, section 16)."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from enrollment.models import Attempt, AttemptStep
from enrollment.reasons import BY_CODE
from enrollment.services.attempt_lists import FILTERS, advice, find, step_name
from enrollment.views.wording import KINDS, details
from epmm.portal.filters import Filters
from epmm.portal.lists import Badge, Cell, Column, Link, Listing

TONES: Final = {
    Attempt.State.OPEN: "waiting",
    Attempt.State.WAITING_FOR_APPLE: "waiting",
    Attempt.State.ACTIVE: "good",
    Attempt.State.FAILED: "bad",
    Attempt.State.ABANDONED: "plain",
}
RESULTS: Final = {
    AttemptStep.Result.OK: "good",
    AttemptStep.Result.NOTED: "plain",
    AttemptStep.Result.REFUSED: "bad",
}


def _state(attempt: Attempt) -> Badge:
    return Badge(attempt.get_state_display(), TONES[Attempt.State(attempt.state)])


def _kind(attempt: Attempt) -> str:
    return str(KINDS.get(attempt.kind, ""))


def _identifier(attempt: Attempt) -> Cell:
    shown = attempt.identifier or str(_("(no address)"))
    return Link(shown, reverse("portal:logs-enrollment-attempt", args=[attempt.pk]))


LISTING: Final = Listing[Attempt](
    name="logs-enrollment",
    title=_("Enrollment log"),
    columns=(
        Column(key="opened", label=_("Time"), value=lambda attempt: attempt.opened_at, order="opened_at"),
        Column(key="identifier", label=_("Typed address"), value=_identifier),
        Column(key="user", label=_("User"), value=lambda attempt: attempt.user.user_id if attempt.user else None),
        Column(key="model", label=_("Model"), value=lambda attempt: attempt.product or attempt.model_family),
        Column(key="os", label=_("OS version"), value=lambda attempt: attempt.os_version),
        Column(key="kind", label=_("Enrollment kind"), value=_kind),
        Column(key="state", label=_("State"), value=_state),
        Column(key="code", label=_("Code"), value=lambda attempt: attempt.last_code),
        Column(key="address", label=_("Address"), value=lambda attempt: attempt.address, is_shown=False),
    ),
    sorted_by="-opened",
    find=find,
    search_hint=_("Typed address, user ID or code"),
    empty=_("Nobody has tried to enroll a device yet."),
)


@require_safe
def attempts(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    filters = Filters(request, FILTERS)
    view = LISTING.view(request, filters.apply(Attempt.objects.select_related("user")))
    if request.GET.get("format") == "csv":
        return view.csv()
    return render(request, "portal/logs/list.html", view.context() | filters.context())


@require_safe
def attempt(request: HttpRequest, number: int) -> HttpResponse:
    found = get_object_or_404(Attempt.objects.select_related("user", "enrollment__device"), pk=number)
    reason = BY_CODE.get(found.last_code)
    context = {
        "attempt": found,
        "state": _state(found),
        "kind": _kind(found),
        "person": _user(request, found),
        "device": _device(request, found),
        "reason": reason,
        "steps": [(step, step_name(step), _result(step), advice(step), details(step)) for step in found.steps.all()],
    }
    return render(request, "portal/logs/attempt.html", context)


def _user(request: HttpRequest, attempt: Attempt) -> Cell:
    user = attempt.user
    if user is None:
        return None
    return _led(request, f"{user.display_name} ({user.user_id})", "users-edit", user.pk)


def _device(request: HttpRequest, attempt: Attempt) -> Cell:
    device = attempt.enrollment.device if attempt.enrollment else None
    return _led(request, str(device), "devices-details", device.uuid) if device else None


def _led(request: HttpRequest, text: str, page: str, of: int | UUID) -> Cell:
    """A link for who may open where it leads."""
    may_open = request.may_open(page)  # type: ignore[attr-defined] # users/middleware.py
    return Link(text, reverse(f"portal:{page}", args=[of])) if may_open else text


def _result(step: AttemptStep) -> Badge:
    return Badge(step.get_result_display(), RESULTS[AttemptStep.Result(step.result)])
