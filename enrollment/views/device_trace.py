"""How a device came here: the tab that devices know nothing of."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from devices.views.device_page import device_or_404, tab
from enrollment.models import Attempt
from enrollment.services.attempt_lists import advice, step_name
from enrollment.views.wording import details
from epmm.portal.lists import Badge

NEWEST: Final = 5
TONES: Final = {Attempt.State.ACTIVE: "good", Attempt.State.FAILED: "bad", Attempt.State.ABANDONED: "plain"}


@require_safe
def trace(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    newest = Attempt.objects.filter(enrollment__device=device).prefetch_related("steps").order_by("-pk")[:NEWEST]
    attempts = [
        (
            attempt,
            Badge(Attempt.State(attempt.state).label, TONES.get(Attempt.State(attempt.state), "waiting")),
            [(step, step_name(step), advice(step), details(step)) for step in attempt.steps.all()],
        )
        for attempt in newest
    ]
    return tab(request, device, "portal/device/enrollment.html", attempts=attempts)
