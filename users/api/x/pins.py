"""Registration PINs: issued, shown once, taken back."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from epmm.api.errors import ApiError
from epmm.api.fields import Cursor, Given, Told, Uuid
from epmm.portal.keyset import Order
from users.api.x.base import Deleted, Done, Listed, found
from users.api.x.users import person
from users.models import RegistrationPin
from users.services import pins
from users.services.idempotency import Answer
from users.services.pins import NewPin

EXAMPLE = {
    "id": 17,
    "user": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01",
    "user_id": "mia",
    "state": "issued",
    "issued_at": "2025-01-01T12:00:00Z",
    "expires_at": "2025-01-02T12:00:00Z",
    "used_at": None,
    "revoked_at": None,
    "revoked_by": "",
}


class PinTold(Told):
    example = EXAMPLE
    id = serializers.IntegerField(source="pk")
    user = serializers.UUIDField(source="user.uuid")
    user_id = serializers.CharField(source="user.user_id")
    state = serializers.SerializerMethodField()
    issued_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True, help_text="Or replaced.")
    revoked_by = serializers.CharField(help_text="Who took it back; empty: another replaced it.")

    def get_state(self, pin: RegistrationPin) -> RegistrationPin.State:
        return pin.state(timezone.now())


class NewPinTold(PinTold):
    example = EXAMPLE | {"pin": "482916"}
    pin = serializers.CharField(help_text="Shown here alone.")


class WhoseNewPin(Given):
    example = {"user": "6d7ea4a2-7b1c-4d0f-9a55-3c8f3a8f1a01"}
    user = Uuid()


class Asked(Cursor):
    user = serializers.UUIDField(required=False)


class Pins(Listed[RegistrationPin], Done):
    says = {
        "GET": "PINs and what became of them, the newest first.",
        "POST": "Issue a PIN; it replaces the one before.",
    }
    asks = Asked
    orders = {"": Order("pk", is_descending=True)}
    item = PinTold
    takes = {"POST": WhoseNewPin}
    tells = {"POST": NewPinTold}
    status = {"POST": 201}
    fails = {"POST": (404,)}
    told_parameters = frozenset({"user"})

    def rows(self) -> QuerySet[RegistrationPin]:
        rows = RegistrationPin.objects.select_related("user")
        return rows.filter(user__uuid=self.asked["user"]) if "user" in self.asked else rows

    def prepare(self) -> NewPin:
        person(self.given["user"])  # nothing is hashed for nobody
        return NewPin.draw()

    def perform(self, prepared: NewPin) -> Answer:
        pin: Any = pins.hand_out(person(self.given["user"]), prepared, actor=self.actor)
        pin.pin = prepared.digits
        return self.answer(pin, location=reverse("api:x-registration-pins-one", args=[pin.pk]))


class OnePin(Deleted[RegistrationPin]):
    says = {"GET": "One PIN and what became of it.", "DELETE": "Take a PIN back, so that nobody enrolls with it."}
    tells = {"GET": PinTold, "DELETE": None}
    fails = {"DELETE": (409,)}

    def row(self, *, locked: bool, number: int) -> RegistrationPin:  # type: ignore[override] # its own place
        return found(RegistrationPin.objects.select_related("user"), locked=locked, pk=number)

    def remove(self, row: RegistrationPin) -> None:
        if not pins.revoke(row, actor=self.actor):
            sentence = _("This PIN serves no more: it was used, replaced or revoked.")
            raise ApiError(409, "pin.over", sentence)
