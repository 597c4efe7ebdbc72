"""A person's own device, and what they do with it.  Whose it is not is told what a wrong address is told."""

from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from devices.action_forms import FORMS, ActionForm, LockForm, WipeForm
from devices.models import Device
from devices.protocol.target import Kind, Platform
from devices.services import reach, self_actions, story
from devices.services.actions import Order, Subject
from devices.services.self_actions import BY_KEY, Own
from devices.views.wording import TONES, system_of
from epmm.client_address import client_address
from users import self_permissions
from users.errors import SignInRefused
from users.forms import ConfirmForm
from users.models import User
from users.self_permissions import person
from users.services import self_provider, self_sign_in
from users.views.self_account import page, refuse

REFUSED_FORM: Final = 422
NO_LIST: Final = ("details", "search_text", "name_folded", "comment", "comment_folded")


class OwnWipeForm(WipeForm):
    """Nobody has to give reasons for what is theirs."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        del self.fields["reason"]


class OwnLockForm(LockForm):
    """A Mac that was locked without a PIN could not be unlocked by its person."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if "pin" in self.fields:
            self.fields["pin"].required = True


OWN_FORMS: Final[dict[str, type[ActionForm]]] = {
    "lock": OwnLockForm,
    "ownership": FORMS["ownership"],
    "wipe": OwnWipeForm,
}
DONE: Final = {
    "lock": gettext_lazy("Sent: the device locks as soon as it is reached."),
    "unlock": gettext_lazy("Sent: the passcode goes as soon as the device is reached."),
    "ownership": gettext_lazy("The owner is changed."),
    "retire": gettext_lazy("Sent: the device leaves management as soon as it is reached."),
    "wipe": gettext_lazy("Sent: the device erases itself as soon as it is reached."),
}


def own_device(user: User, uuid: UUID) -> Device:
    device = user.devices.filter(uuid=uuid).defer(*NO_LIST).first()
    if device is None:
        raise Http404
    device.user = user
    return device


@require_safe
def details(request: HttpRequest, uuid: UUID) -> HttpResponse:
    user = person(request)
    device = own_device(user, uuid)
    subject = self_actions.subject_of(device)
    return page(
        request,
        "device",
        device=device,
        name=subject.name,
        tone=TONES.get(Device.Status(device.status), ""),
        facts=list(_facts(device)),
        is_managed=subject.channel is not None,
        offers=list(self_actions.offers(subject, self_permissions.roles_of(request))),
        events=story.of(device, user),
        reach=_reach(subject),
    )


def _facts(device: Device) -> Iterator[tuple[str | Promise, object]]:
    """What is known, in the order in which people ask."""
    yield from (
        (label, value)
        for label, value in (
            (_("Model"), device.model_name or device.product_name),
            (_("System"), system_of(device)),
            (_("Serial number"), device.serial_number),
            (_("Phone number"), device.phone_number),
            (_("Managed Apple Account"), device.managed_apple_account),
            (_("Owner"), device.get_owner_display()),
            (_("Enrolled"), device.registered_at),
            (_("Last contact"), device.last_seen_at),
            (_("Retired"), device.retired_at),
        )
        if value
    )


def action_page(key: str) -> Callable[..., HttpResponse]:
    """Asks, and does it."""
    own = BY_KEY[key]

    @sensitive_post_parameters("password", "code", "pin")
    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, uuid: UUID) -> HttpResponse:
        return Asked(request, own, own_device(person(request), uuid)).answer()

    return view


class Asked:
    """One request of it."""

    def __init__(self, request: HttpRequest, own: Own, device: Device) -> None:
        self._request, self._own, self._user = request, own, person(request)
        self._subject = self_actions.subject_of(device)
        self._is_of_provider = own.asks_who and self_provider.is_of_one(request, self._user)
        self._is_stale = self._is_of_provider and not self_sign_in.is_fresh(request)
        self._why_not = self_actions.why_not(own.action, self._subject)
        is_sent = request.method == "POST" and self._why_not is None and not self._is_stale
        form = OWN_FORMS.get(own.action.key, ActionForm)
        self._form = form(request.POST if is_sent else None, going=[self._subject])
        for field in self._form.fields.values():  # the question is read first
            field.widget.attrs.pop("autofocus", None)
        if own.action.key == "ownership":
            self._form.initial["owner"] = device.owner
        self._identity = self._confirm_form(is_sent=is_sent) if own.asks_who else None
        self._is_sent = is_sent

    def answer(self) -> HttpResponse:
        if not self._is_sent:
            return self._page(200 if self._request.method != "POST" else REFUSED_FORM)
        if not self._form.is_valid():  # what was typed first: a wrong name costs no attempt at the password
            return self._page(REFUSED_FORM)
        if status := self._status_of_confirmation():
            return self._page(status)
        order = Order(values=self._form.cleaned_data, actor=self._user.user_id, address=client_address(self._request))
        outcome = self_actions.carry_out(self._own, self._subject, order)
        say = messages.success if outcome.is_done else messages.error
        say(self._request, str(DONE[self._own.action.key]) if outcome.is_done else outcome.said)
        return redirect("self:device", uuid=self._subject.device.uuid)

    def _confirm_form(self, *, is_sent: bool) -> ConfirmForm | None:
        if self._is_of_provider:
            return None
        asks_code = self_sign_in.asks_code(self._user)
        form = ConfirmForm(self._request.POST if is_sent else None, asks_code=asks_code)
        for field in form.fields.values():
            field.widget.attrs = {key: value for key, value in field.widget.attrs.items() if key != "autofocus"}
        return form

    def _status_of_confirmation(self) -> int:
        """0: it is them."""
        form = self._identity
        if form is None:
            return 0
        if not form.is_valid():
            return REFUSED_FORM
        given = form.cleaned_data
        address = client_address(self._request)
        try:
            self_sign_in.confirm(self._user, given["password"], given.get("code", ""), address=address)
        except SignInRefused as refusal:
            return max(refuse(form, refusal), REFUSED_FORM)
        return 0

    def _page(self, status: int) -> HttpResponse:
        return page(
            self._request,
            "action",
            own=self._own,
            explanation=self._own.explained(self._subject),
            device=self._subject.device,
            name=self._subject.name,
            why_not=self._why_not,
            is_stale=self._is_stale,
            provider=self_provider.provider_of(self._request, self._user) if self._is_stale else None,
            form=self._form,
            identity=self._identity,
            status=status,
        )


def _reach(subject: Subject) -> reach.Reach | None:
    """With the rights that this very enrollment asked for."""
    device, target = subject.device, subject.target
    if target is None or not device.platform:
        return None
    return reach.of(Platform(device.platform), Kind(target.kind), target.access_rights)
