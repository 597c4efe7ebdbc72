"""The dialog of each action: whom it goes to, who is skipped and why; then what came of it, device by device."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from devices.action_forms import FORMS as ACTION_FORMS
from devices.action_forms import ActionForm
from devices.attribute_forms import AttributesActionForm
from devices.models import Device
from devices.services import action_runs, actions, listing, search
from devices.services.actions import Action, Order, Outcome, Subject
from devices.services.listing import MOST_CHOSEN
from devices.services.search import SearchRefused
from devices.services.wording import worded
from devices.views import device_list
from epmm.client_address import client_address
from epmm.numbers import grouped
from epmm.portal.lists import ticked
from epmm.runs import NumberChanged
from users import permissions
from users.views.dialogs import GO, StepUp, administrator, refused

FORMS: Final[dict[str, type[ActionForm]]] = {**ACTION_FORMS, "assign-attributes": AttributesActionForm}
NUMBER: Final = "number"  # of all that match, in the dialog for more than are named
NAMES_SHOWN: Final = 5
REASONS_TOLD: Final = 3


def dialog(key: str) -> Callable[[HttpRequest], HttpResponse]:
    """The view of the action with this key."""

    @sensitive_post_parameters()
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        action = actions.BY_KEY[key]
        permissions.require(request, action.role)
        try:
            return Dialog(request, action).answer()
        except SearchRefused as error:
            return refused(request, str(error))

    return view


@dataclass(frozen=True, slots=True)
class Skipped:
    why: str
    names: str
    number: int


class Dialog:
    """One request of it.  Whom it named at first it acts on, whoever else matches by then.

    Of more devices than are done at once the first are looked at here; the worker asks each of them itself.
    """

    def __init__(self, request: HttpRequest, action: Action) -> None:
        self._request, self._action = request, action
        is_of_list = bool(request.POST.get("all"))
        self._chosen = _chosen(request)
        with search.patiently():
            devices = list(_first(self._chosen))
            self._is_many = is_of_list and len(devices) > MOST_CHOSEN
            self._number = self._chosen.order_by().count() if self._is_many else 0
            has_mac = self._is_many and self._chosen.filter(platform=Device.Platform.MACOS).exists()
        self._is_cut = len(devices) > MOST_CHOSEN and not self._is_many
        self._subjects = actions.subjects(devices[:MOST_CHOSEN])
        self._whys = [(subject, _why_not(action, subject)) for subject in self._subjects]
        self._going = [subject for subject, why in self._whys if why is None]
        self._number = self._number or len(self._going)
        # what was agreed to as many is looked at anew when few are left of it
        is_same = self._is_many == (NUMBER in request.POST)
        self._is_sent = GO in request.POST and self._number > 0 and is_same
        data = request.POST if self._is_sent else None
        self._form: ActionForm = FORMS.get(action.key, ActionForm)(
            data, going=self._going, number=self._number, has_mac=has_mac
        )
        self._step_up = StepUp(request) if action.asks_who(self._number) else None

    def answer(self) -> HttpResponse:
        if not self._is_sent:
            return self._asked(200)
        if not self._form.is_valid():  # what was typed first: a wrong name costs no attempt at the password
            return self._asked(422)
        if self._step_up is not None and not self._step_up.is_passed():
            return self._asked(self._step_up.status)
        return self._begun() if self._is_many else self._carried_out()

    def _asked(self, status: int) -> HttpResponse:
        context = {
            "action": self._action,
            "address": reverse(f"portal:devices-{self._action.key}"),
            "number": self._number,
            "is_many": self._is_many,
            "matching": self._request.POST.get("matching", ""),
            "names": _names(self._going, self._number),
            "skipped": [] if self._is_many else _by_reason(self._whys),
            "is_cut": self._is_cut,
            "most": MOST_CHOSEN,
            "devices": ",".join(str(subject.device.uuid) for subject in self._subjects),
            "form": self._form,
            "identity": self._step_up.form if self._step_up is not None else None,
        }
        return render(self._request, "portal/device/action.html", context, status=status)

    def _order(self) -> Order:
        return Order(
            values=self._form.cleaned_data,
            actor=administrator(self._request).user_id,
            address=client_address(self._request),
        )

    def _begun(self) -> HttpResponse:
        """The worker does it.  What destroys goes to as many as somebody agreed to, or is asked for once more."""
        given = self._request.POST.get(NUMBER, "")
        confirmed = (int(given) if given.isdecimal() else 0) if self._action.is_dangerous else None
        try:
            run = action_runs.begin(
                self._action,
                self._order(),
                chosen=self._chosen,
                confirmed=confirmed,
                asked=self._request.POST.get("matching", ""),
                language=get_language() or "",
            )
        except NumberChanged as changed:
            self._number = changed.number
            self._form.add_error(None, _("By now other devices match. Look at their number, and say it again."))
            return self._asked(409)
        address = reverse("portal:logs-actions-one", args=[run.pk])
        return HttpResponse(status=204, headers={"HX-Redirect": address})

    def _carried_out(self) -> HttpResponse:
        order = self._order()
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
    if GO in request.POST and NUMBER not in request.POST:
        found = listing.by_uuid(request.POST.get("devices", "").split(",")[:MOST_CHOSEN])
    elif request.POST.get("all"):
        found = device_list.matching(QueryDict(request.POST.get("matching", "")).dict())
    else:
        found = listing.by_uuid(ticked(request))
    return found


def _first(found: QuerySet[Device]) -> QuerySet[Device]:
    named = found.select_related("user").defer("details").order_by("user_name_folded", "pk")
    return named[: MOST_CHOSEN + 1]


def _names(subjects: Sequence[Subject], number: int | None = None) -> str:
    shown = subjects[:NAMES_SHOWN]
    names = ", ".join(subject.name for subject in shown)
    more = (len(subjects) if number is None else number) - len(shown)
    return names if more <= 0 else f"{names} " + _("and {n} more").format(n=grouped(more))


def _by_reason(whys: Iterable[tuple[Subject, str | None]]) -> list[Skipped]:
    found: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject, why in whys:
        if why is not None:
            found[why].append(subject)
    return [Skipped(why, _names(subjects), len(subjects)) for why, subjects in found.items()]


def _why_not(action: Action, subject: Subject) -> str | None:
    sentence = action.why_not(subject)
    return None if sentence is None else worded(sentence)


def summary(action: Action, outcomes: Sequence[Outcome]) -> str:
    """In one sentence (portal specification, section 17)."""
    reasons = Counter(outcome.said for outcome in outcomes if not outcome.is_done)
    skipped = reasons.total()
    done = len(outcomes) - skipped
    if action.is_sent:
        said = _("{action} sent to 1 device") if done == 1 else _("{action} sent to {n} devices")
    else:
        said = _("{action}: done for 1 device") if done == 1 else _("{action}: done for {n} devices")
    said = said.format(action=action.label, n=grouped(done))
    if not skipped:
        return f"{said}."
    told = " ".join(why for why, _number in reasons.most_common(REASONS_TOLD))
    left_out = _("1 was skipped: {reason}") if skipped == 1 else _("{m} were skipped: {reason}")
    return f"{said}; {left_out.format(m=grouped(skipped), reason=told)}"
