"""The dialog of each action: whom it goes to, who is skipped and why; then what came of it, device by device."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from devices.action_forms import ActionForm, LabelChoiceForm, LockForm, OwnershipForm, RetireForm, WipeForm
from devices.models import Device
from devices.services import listing
from devices.services.actions import BY_KEY, Action, Subject, Unmet, subjects
from devices.services.listing import MOST_CHOSEN
from devices.services.queue import CommandRefused
from devices.views import device_list
from epmm.client_address import client_address
from epmm.portal.lists import ticked
from users import permissions
from users.errors import SignInRefused
from users.forms import ConfirmForm
from users.models import User
from users.services import portal_sign_in

FORMS: Final[dict[str, type[ActionForm]]] = {
    "lock": LockForm,
    "wipe": WipeForm,
    "retire": RetireForm,
    "ownership": OwnershipForm,
    "apply-label": LabelChoiceForm,
    "remove-label": LabelChoiceForm,
}
NAMES_SHOWN: Final = 5
GO: Final = "go"


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen devices: whom the action goes to, and whom not."""

    going: Sequence[Subject]
    skipped: Sequence[tuple[Subject, str]]

    @classmethod
    def of(cls, action: Action, devices: Sequence[Device]) -> "Choice":
        asked = [(subject, action.why_not(subject)) for subject in subjects(devices)]
        return cls(
            [subject for subject, why in asked if why is None], [(subject, why) for subject, why in asked if why]
        )

    @property
    def names(self) -> list[str]:
        return [subject.name for subject in self.going]

    @property
    def reasons(self) -> list[tuple[str, int]]:
        return Counter(why for _, why in self.skipped).most_common()


def dialog(key: str) -> Callable[[HttpRequest], HttpResponse]:
    """The view of the action with this key."""

    @sensitive_post_parameters()
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        return _answer(request, BY_KEY[key])

    return view


def _answer(request: HttpRequest, action: Action) -> HttpResponse:
    permissions.require(request, action.role)
    choice = Choice.of(action, _chosen(request))
    is_sent = GO in request.POST
    form = _form(request, action, choice, is_sent=is_sent)
    identity = _identity(request, action, choice, is_sent=is_sent)
    if not is_sent or not choice.going:
        return _ask(request, action, choice, form, identity)
    is_valid = form.is_valid()
    if (identity is not None and not (is_valid and _is_confirmed(request, identity))) or not is_valid:
        return _ask(request, action, choice, form, identity, status=422)
    return _told(request, action, _run(request, action, choice, form.cleaned_data))


def _chosen(request: HttpRequest) -> list[Device]:
    if request.POST.get("all"):
        found = device_list.matching(QueryDict(request.POST.get("matching", "")).dict())
    else:
        keys = request.POST.get("devices", "").split(",") if GO in request.POST else ticked(request)
        found = listing.by_uuid(keys[:MOST_CHOSEN])
    return list(found.select_related("user").defer("details").order_by("user_name_folded", "pk")[:MOST_CHOSEN])


def _form(request: HttpRequest, action: Action, choice: Choice, *, is_sent: bool) -> ActionForm:
    made = FORMS.get(action.key, ActionForm)
    has_macs = any(subject.is_mac for subject in choice.going)
    return made(request.POST if is_sent else None, names=choice.names, has_macs=has_macs, auto_id="action_%s")


def _identity(request: HttpRequest, action: Action, choice: Choice, *, is_sent: bool) -> ConfirmForm | None:
    """Who is at the keyboard?  None when that need not be asked, or was answered a moment ago."""
    if not action.asks_who(len(choice.going)) or portal_sign_in.is_confirmed(request):
        return None
    asks_code = portal_sign_in.has_second_factor(_administrator(request))
    return ConfirmForm(request.POST if is_sent else None, asks_code=asks_code, auto_id="confirm_%s")


def _is_confirmed(request: HttpRequest, identity: ConfirmForm) -> bool:
    if not identity.is_valid():
        return False
    given = identity.cleaned_data
    try:
        portal_sign_in.confirm(request, _administrator(request), given["password"], given.get("code", ""))
    except SignInRefused as refused:
        identity.add_error(None, str(refused))
        return False
    return True


def _run(
    request: HttpRequest, action: Action, choice: Choice, values: dict[str, Any]
) -> list[tuple[Subject, str, bool]]:
    """Each by itself: what is refused for one device holds up no other."""
    actor, address = _administrator(request).user_id, client_address(request)
    results = []
    for subject in choice.going:
        try:
            results.append((subject, action.run(subject.device, values, actor=actor, address=address), True))
        except (CommandRefused, Unmet) as refused:
            results.append((subject, str(refused), False))
    return results + [(subject, why, False) for subject, why in choice.skipped]


def _ask(
    request: HttpRequest,
    action: Action,
    choice: Choice,
    form: forms.Form,
    identity: ConfirmForm | None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "action": action,
        "address": reverse(f"portal:devices-{action.key}"),
        "choice": choice,
        "number": len(choice.going),
        "first": choice.names[:NAMES_SHOWN],
        "more": max(0, len(choice.going) - NAMES_SHOWN),
        "skipped": len(choice.skipped),
        "devices": ",".join(
            str(subject.device.uuid) for subject in [*choice.going, *(subject for subject, _ in choice.skipped)]
        ),
        "form": form,
        "identity": identity,
    }
    return render(request, "portal/device_action.html", context, status=status)


def _told(request: HttpRequest, action: Action, results: list[tuple[Subject, str, bool]]) -> HttpResponse:
    context = {
        "action": action,
        "results": results,
        "done": sum(is_done for *_, is_done in results),
        "skipped": sum(not is_done for *_, is_done in results),
        "back": reverse("portal:devices") if action.key == "delete-retired" else "",
    }
    return render(request, "portal/device_action_done.html", context)


def _administrator(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError
    return request.user
