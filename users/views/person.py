"""One person: added, shown, corrected (portal specification, section 3)."""

from typing import Any, Final

from django.apps import apps
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from epmm.models import AuditEntry
from epmm.portal.lists import Badge
from users import permissions
from users.attribute_forms import ValuesForm
from users.errors import InvalidPerson
from users.forms import NewPersonForm, PersonForm
from users.models import AdminRole, CustomAttribute, ProviderLink, RegistrationPin, User
from users.services import custom_attributes, lock_out, people, portal_sessions, roles, second_factor, sign_in, upkeep
from users.services.oidc import linked
from users.services.people import NewPerson
from users.services.people_lists import counted
from users.services.upkeep import Facts
from users.views.dialogs import administrator
from users.views.users import LISTING

PINS_SHOWN: Final = 5
DEVICES_SHOWN: Final = 25
FAILURES_SHOWN: Final = 5
# Why a sign-in failed, as the audit log holds it, and whether a device of somebody is well, of the other app.
REASONS: Final[dict[str, str | Promise]] = {
    "WrongCredentials": gettext_lazy("User ID or password was wrong"),
    "PinWrong": gettext_lazy("PIN was wrong"),
    "PinUsed": gettext_lazy("PIN was used before"),
    "PinExpired": gettext_lazy("PIN has expired"),
    "TooManyAttempts": gettext_lazy("Too many attempts"),
    "AccountDisabled": gettext_lazy("Account is disabled"),
    "PasswordMustChange": gettext_lazy("One-time password not changed yet"),
    "NoAdministrator": gettext_lazy("No role of the portal"),
    "WrongCode": gettext_lazy("Code was wrong"),
}
TONES: Final = {"ACTIVE": "good", "LOST": "bad", "BLOCKED": "bad"}
PIN_TONES: Final = {
    RegistrationPin.State.ISSUED: "waiting",
    RegistrationPin.State.REVOKED: "bad",
    RegistrationPin.State.EXPIRED: "bad",
}
FACTS: Final = ("first_name", "last_name", "email")


@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    form = NewPersonForm(request.POST or None)
    values = ValuesForm(request.POST or None, custom_attributes.defined(CustomAttribute.Subject.USER), {})
    if all([form.is_valid(), values.is_valid()]):
        given = {name: value for name, value in form.cleaned_data.items() if name != "again"}
        given["managed_apple_account"] = given["managed_apple_account"] or None
        actor = administrator(request).user_id
        try:
            with transaction.atomic():
                user = people.create(NewPerson(**given), actor=actor)
                custom_attributes.set_for_user(user, values.values, actor=actor)
        except InvalidPerson as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("{name} was added.").format(name=user.display_name))
            return redirect("portal:users-edit", user.pk)
    return render(request, "portal/people/add.html", {"form": form, "values": values})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, number: int) -> HttpResponse:
    with_entry = counted().select_related("directory_entry__directory", "directory_entry__provider")
    user = get_object_or_404(second_factor.told(with_entry), pk=number)
    name = user.display_name
    form = PersonForm(request.POST or None, initial=_initial(user))
    if user.source != User.Source.LOCAL:
        for field in (*FACTS, "display_name"):
            form.fields[field].disabled = True
    may_manage = permissions.may(request, AdminRole.USER_MANAGE)
    values = _values(request, user, is_read_only=not may_manage)
    if request.method == "POST":
        permissions.require(request, AdminRole.USER_MANAGE)
        if all([form.is_valid(), values.is_valid()]):
            actor = administrator(request).user_id
            try:
                upkeep.may_change(user, permissions.roles_of(request))
                with transaction.atomic():
                    upkeep.edit(user, Facts(**form.cleaned_data), actor=actor)
                    custom_attributes.set_for_user(user, values.values, actor=actor)
            except InvalidPerson as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Saved."))
                return redirect("portal:users-edit", user.pk)
    actions = [action for action in LISTING.actions if permissions.may_open(request, action.name)]
    context = {"person": user, "name": name, "form": form, "values": values, "may_manage": may_manage}
    context |= {"actions": actions, "may_see_users": permissions.may_open(request, "users")}
    return render(
        request, "portal/people/person.html", context | _state(user) | _devices(request, user) | _access(request, user)
    )


@require_POST
def unlink(request: HttpRequest, number: int) -> HttpResponse:
    """From the provider's account; its next sign-in is held against the rule anew."""
    link = get_object_or_404(ProviderLink.objects.select_related("user", "provider"), pk=number)
    linked.unlink(link, actor=administrator(request).user_id)
    messages.success(
        request, _("{provider} does not lead to this person any more.").format(provider=link.provider.name)
    )
    return redirect("portal:users-edit", link.user_id)


def _values(request: HttpRequest, user: User, *, is_read_only: bool) -> ValuesForm:
    attributes = custom_attributes.defined(CustomAttribute.Subject.USER)
    texts = custom_attributes.texts_of(user.custom_attributes.all()) if attributes else {}
    return ValuesForm(request.POST or None, attributes, texts, is_read_only=is_read_only)


def _initial(user: User) -> dict[str, str]:
    named = {"display_name": user.full_name, "managed_apple_account": user.managed_apple_account or ""}
    return {name: getattr(user, name) for name in FACTS} | named


def _state(user: User) -> dict[str, Any]:
    return {
        "roles": [(each.label, each.origin, each) for each in roles.effective(user)],
        "entry": getattr(user, "directory_entry", None),
        "links": list(user.provider_links.select_related("provider")) if user.source == User.Source.LDAP else [],
        "pins": [
            (pin, _pin_state(pin), _is_good(pin)) for pin in user.registration_pins.order_by("-issued_at")[:PINS_SHOWN]
        ],
        "failures": _failures(user),
        "locked_until": lock_out.locked_until(upkeep.names(user)),
        "has_second_factor": user.is_admin and vars(user)["has_second_factor"],
    }


def _devices(request: HttpRequest, user: User) -> dict[str, Any]:
    """Of the other app nothing but names, states and the address of a page, for who may see them there."""
    if not permissions.may(request, AdminRole.DEVICE_VIEW):
        return {"devices": None}
    theirs = apps.get_model("devices", "Device").objects.filter(user=user).order_by("-pk")
    found = list(theirs.only("uuid", "device_name", "serial_number", "status", "last_seen_at")[: DEVICES_SHOWN + 1])
    shown = [(each, Badge(each.get_status_display(), TONES.get(each.status, "plain"))) for each in found]
    return {"devices": shown[:DEVICES_SHOWN], "has_more_devices": len(found) > DEVICES_SHOWN}


def _failures(user: User) -> list[tuple[AuditEntry, str | Promise]]:
    failed = AuditEntry.objects.filter(subject=user.user_id, action=sign_in.FAILED)
    told = ((entry, str(entry.details.get("reason", ""))) for entry in failed.order_by("-at")[:FAILURES_SHOWN])
    return [(entry, REASONS.get(reason, reason)) for entry, reason in told]


def _access(request: HttpRequest, user: User) -> dict[str, Any]:
    """Of an administrator, for whoever appoints them: the roles, and from where the portal is open just now."""
    if not user.is_admin or not permissions.may(request, AdminRole.ADMIN_MANAGE):
        return {"appoints": False}
    return {
        "appoints": True,
        "admin_roles": [grant.get_key_display() for grant in user.admin_grants.order_by("key")],
        "sessions": portal_sessions.of(user, this=request.session.session_key),
    }


def _is_good(pin: RegistrationPin) -> bool:
    """Whether somebody can enroll with it still, and so whether it can be taken back."""
    return pin.state(timezone.now()) == RegistrationPin.State.ISSUED


def _pin_state(pin: RegistrationPin) -> Badge:
    state = pin.state(timezone.now())
    return Badge(state.label, PIN_TONES.get(state, "plain"), note=pin.revoked_by)
