"""Whose device it is."""

from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.services.actions.base import Action, Order, Subject, Unmet, Values, locked
from users.models import AdminRole, User

ENROLLED: Final = frozenset({*Device.ENROLLED, *Device.PROVISIONAL, Device.Status.INFECTED})
AWAITED: Final = frozenset({Device.Status.VERIFICATION_PENDING, Device.Status.VERIFIED, Device.Status.EXPIRED})


class ChangeUser(Action):
    """Of a record that nobody is signed in for.

    An enrollment is one person's, from their sign-in to the end: with their roles it is allowed, and to their Managed
    Apple Account the device belongs.  A record under another name would hide who can end it, and why.
    """

    key = "user"
    label = gettext_lazy("Change user")
    explanation = gettext_lazy(
        "The record goes to another user with its labels, its comment and its log, and is taken up again when that user"
        " enrolls the device. What does not change: earlier enrollments and their traces stay those of whoever signed"
        " in, and the Managed Apple Account shown is that of the last one until then."
    )
    button = gettext_lazy("Change")
    icon = "user-round-pen"
    role = AdminRole.DEVICE_MANAGE

    def packed(self, values: Values) -> dict[str, Any]:
        return {"user": values["user"].pk}

    def unpacked(self, told: Values) -> Values:
        return {"user": User.objects.get(pk=told["user"])}

    def why_not(self, subject: Subject) -> str | None:
        return _bound(subject.device, is_enrolled=subject.channel is not None)

    @transaction.atomic
    def run(self, device: Device, order: Order) -> str:
        person = _locked(order.values["user"])  # before the device, as where devices enroll
        device = locked(device)
        if sentence := _bound(device, is_enrolled=device.enrollments.standing().exists()):
            raise Unmet(sentence)
        if device.user_id == person.pk:
            raise Unmet(_("It is theirs already."))
        if device.udid and person.devices.filter(udid=device.udid).exists():
            raise Unmet(_("{user} has a record of this very device already.").format(user=person.display_name))
        before, device.user = device.user.user_id, person
        device.save(update_fields=["user", "modified_at"])  # and with it what the search knows of them
        order.audit("device.user_changed", device, **{"from": before, "to": person.user_id})
        return _("Changed")


def _bound(device: Device, *, is_enrolled: bool) -> str | None:
    """Why its person must stay."""
    if is_enrolled or device.status in ENROLLED:
        return _(
            "It is enrolled with {account}, which is its user's. Retire it, then the other user can sign in on it."
        ).format(account=device.managed_apple_account or device.user.user_id)
    if device.status in AWAITED:
        return _("It waits for its user to enroll. Let the other user enroll it instead.")
    return None


def _locked(person: User) -> User:
    """Until the transaction ends: a name that changes meanwhile finds the device among theirs."""
    found = User.objects.select_for_update().filter(pk=person.pk, is_active=True).first()
    if found is None:
        raise Unmet(_("This account is disabled."))
    return found
