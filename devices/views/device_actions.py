"""The dialog of each action: whom it goes to, who is skipped and why; then what came of it, device by device."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from devices.action_forms import FORMS as ACTION_FORMS
from devices.action_forms import ActionForm
from devices.attribute_forms import AttributesActionForm
from devices.models import Device
from devices.services import actions, listing
from devices.services.actions import Action, Order, Outcome, Subject
from devices.services.listing import MOST_CHOSEN
from devices.views import device_list
from epmm.client_address import client_address
from epmm.portal.lists import ticked
from users import permissions
from users.views.dialogs import GO, StepUp, administrator

FORMS: Final[dict[str, type[ActionForm]]] = {**ACTION_FORMS, "assign-attributes": AttributesActionForm}
NAMES_SHOWN: Final = 5
REASONS_TOLD: Final = 3


def dialog(key: str) -> Callable[[HttpRequest], HttpResponse]:
    """The view of the action with this key."""

    @sensitive_post_parameters()
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        action = actions.BY_KEY[key]
        permissions.require(request, action.role)
        return Dialog(request, action).answer()

    return view


@dataclass(frozen=True, slots=True)
class Skipped:
    why: str
    names: str
    number: int


class Dialog:
    """One request of it.  Whom it named at first it acts on, whoever else matches by then."""

    def __init__(self, request: HttpRequest, action: Action) -> None:
        self._request, self._action = request, action
        devices = list(_chosen(request)[: MOST_CHOSEN + 1])
        self._is_cut = len(devices) > MOST_CHOSEN
        self._subjects = actions.subjects(devices[:MOST_CHOSEN])
        self._whys = [(subject, action.why_not(subject)) for subject in self._subjects]
        self._going = [subject for subject, why in self._whys if why is None]
        self._is_sent = GO in request.POST and bool(self._going)
        data = request.POST if self._is_sent else None
        self._form: ActionForm = FORMS.get(action.key, ActionForm)(data, going=self._going)
        self._step_up = StepUp(request) if action.asks_who(len(self._going)) else None

    def answer(self) -> HttpResponse:
        if not self._is_sent:
            return self._asked(200)
        if not self._form.is_valid():  # what was typed first: a wrong name costs no attempt at the password
            return self._asked(422)
        if self._step_up is not None and not self._step_up.is_passed():
            return self._asked(self._step_up.status)
        return self._carried_out()

    def _asked(self, status: int) -> HttpResponse:
        context = {
            "action": self._action,
            "address": reverse(f"portal:devices-{self._action.key}"),
            "number": len(self._going),
            "names": _names(self._going),
            "skipped": _by_reason(self._whys),
            "is_cut": self._is_cut,
            "most": MOST_CHOSEN,
            "devices": ",".join(str(subject.device.uuid) for subject in self._subjects),
            "form": self._form,
            "identity": self._step_up.form if self._step_up is not None else None,
        }
        return render(self._request, "portal/device/action.html", context, status=status)

    def _carried_out(self) -> HttpResponse:
        order = Order(
            values=self._form.cleaned_data,
            actor=administrator(self._request).user_id,
            address=client_address(self._request),
        )
        outcomes = list(actions.carry_out(self._action, self._subjects, order))
        context = {
            "action": self._action,
            "outcomes": outcomes,
            "summary": summary(self._action, outcomes),
            # its page is gone with a record that was deleted
            "back": reverse("portal:devices") if self._action.key == "delete-retired" else "",
        }
        return render(self._request, "portal/device/action_done.html", context)


def _chosen(request: HttpRequest) -> QuerySet[Device]:
    """Those that are ticked, or all that match an address of the list."""
    if GO in request.POST:
        found = listing.by_uuid(request.POST.get("devices", "").split(",")[:MOST_CHOSEN])
    elif request.POST.get("all"):
        found = device_list.matching(QueryDict(request.POST.get("matching", "")).dict())
    else:
        found = listing.by_uuid(ticked(request))
    return found.select_related("user").defer("details").order_by("user_name_folded", "pk")


def _names(subjects: Sequence[Subject]) -> str:
    names = ", ".join(subject.name for subject in subjects[:NAMES_SHOWN])
    more = len(subjects) - NAMES_SHOWN
    return names if more <= 0 else f"{names} " + _("and {n} more").format(n=more)


def _by_reason(whys: Iterable[tuple[Subject, str | None]]) -> list[Skipped]:
    found: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject, why in whys:
        if why is not None:
            found[why].append(subject)
    return [Skipped(why, _names(subjects), len(subjects)) for why, subjects in found.items()]


def summary(action: Action, outcomes: Sequence[Outcome]) -> str:
    """In one sentence (portal specification, section 17)."""
    reasons = Counter(outcome.said for outcome in outcomes if not outcome.is_done)
    skipped = reasons.total()
    done = len(outcomes) - skipped
    if action.is_sent:
        said = _("{action} sent to 1 device") if done == 1 else _("{action} sent to {n} devices")
    else:
        said = _("{action}: done for 1 device") if done == 1 else _("{action}: done for {n} devices")
    said = said.format(action=action.label, n=done)
    if not skipped:
        return f"{said}."
    told = " ".join(why for why, _number in reasons.most_common(REASONS_TOLD))
    left_out = _("1 was skipped: {reason}") if skipped == 1 else _("{m} were skipped: {reason}")
    return f"{said}; {left_out.format(m=skipped, reason=told)}"
